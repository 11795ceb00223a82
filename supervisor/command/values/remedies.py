"""What to set in place of a value that this version does not take. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ...records import dataclass


class Refused(ValueError):
    """A value that cannot be: what is accepted, as the end of a sentence, and what to do."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Gone:
    """Values that some versions have and others not, and what to set.

    `value` is a pattern, `other` what the remedy says to set. `everywhere` says that no version
    takes such a value whose catalogue does not show it.
    """

    value: str
    remedy: str
    other: str = ""
    everywhere: bool = False

    def is_of(self, text: str) -> bool:
        """Whether `text` is such a value, in any case of its letters."""
        return re.fullmatch(self.value, text, re.IGNORECASE) is not None


#: Option, or option.field -> values that versions had and others have not.
GONE: Mapping[str, tuple[Gone, ...]] = {
    "--tokenizer-mode": (
        Gone(
            "slow",
            "this version has fast tokenizers alone: set it to auto",
            "auto",
            everywhere=True,
        ),
        Gone("custom", "set it to auto", "auto"),
    ),
    "--quantization": (
        Gone(
            "squeezellm",
            "vLLM dropped it: serve a model in AWQ or GPTQ form, and unset this",
            everywhere=True,
        ),
        Gone("gguf|bitsandbytes", "this version has dropped it: serve the model in another form"),
    ),
    "--dtype": (
        Gone(
            "(fp|float|int)_?[48].*", "a quantised model runs with auto; see QUANTIZATION", "auto"
        ),
    ),
    "--lora-dtype": (Gone("float32|float|fp32", "set it to auto, the model's own type", "auto"),),
    "--structured-outputs-config.backend": (
        Gone("[a-z-]+:.*", "this version takes no options behind a colon: set the name alone"),
    ),
    "--guided-decoding-backend": (
        Gone("[a-z-]+:.*", "this version takes no options behind a colon: set the name alone"),
    ),
}


#: What other programs call a value -> what vLLM does.
_SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("fp16", "f16", "torch.float16"), "float16"),
    **dict.fromkeys(("bf16", "torch.bfloat16"), "bfloat16"),
    **dict.fromkeys(("fp32", "f32", "torch.float32"), "float32"),
    "bnb": "bitsandbytes",
}
FEW = 10  # names that are read at a glance
_DIGITS = 20  # of a number; Python reads no more than 4,300


def one_of(accepted: Collection[str], *, meant: str = "") -> str:
    """What is accepted, as the end of a sentence: of many names a few.

    Args:
        accepted: these.
        meant: the remedy, where there is one. Beside that nobody reads a long list.
    """
    names = list(accepted)
    if len(names) <= FEW:
        return f"is not one of {some(names)}"
    if meant:
        return f"is not one of the {len(names)} that this version has"
    return f"is not one of {some(names)}"


def some(names: Collection[str]) -> str:
    """All of few names; of many a few, and where the others stand."""
    if len(names) <= FEW:
        return ", ".join(names)
    few = ", ".join(list(names)[: FEW // 2])
    return f"{few} and {len(names) - FEW // 2} more; docs/configuration.md lists them"


def remedy(place: str, text: str, accepted: Collection[str]) -> str:
    """What to do about the value `text` of an option, or of a field of one (`--option.field`)."""
    for gone in GONE.get(place, ()):
        if gone.is_of(text) and (not gone.other or gone.other in accepted):
            return gone.remedy
    if (synonym := _SYNONYMS.get(text.lower())) in accepted:
        return f"did you mean {synonym}?"
    if text.isdecimal():
        known = [int(each) for each in accepted if each.isdecimal()]
        larger = [each for each in known if len(text) < _DIGITS and each > int(text)]
        return f"set it to {min(larger)}, the next larger one" if larger else ""
    import difflib  # only now: most starts have nothing to compare, and need not wait for it

    alike = difflib.get_close_matches(text.lower(), list(accepted), n=1, cutoff=0.6)
    return f"did you mean {alike[0]}?" if alike else ""
