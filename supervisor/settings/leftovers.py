"""Finds in values what a shell, Compose, Kubernetes or the platform would have replaced or taken
out, and nobody did. Pure.

Docker's `--env-file` and RunPod's forms hand on `$HOME/models` and `4096  # tokens` as these very
letters. The engine would make a folder of that name, or load a model called `${MODEL}`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ..findings import Fault, Findings
from ..secrets import is_secret, masked
from . import table

_NAME = r"[A-Za-z_]\w*"
_WRITE = "write the value itself"
#: The whole of a value, or the beginning of a path -> who would have replaced it, the remedy. The
#: bare form is one in capitals alone: other words after a dollar sign may be what they say.
_FORMS = (
    (rf"\$\{{{_NAME}[^}}]*\}}(/.*)?", "a reference that only a shell or Compose replaces", _WRITE),
    (rf"\$\({_NAME}\)(/.*)?", "a reference that Kubernetes did not replace",
     f"define that variable above this one, or {_WRITE}"),
    (r"\{\{\s*RUNPOD_SECRET_\w+\s*\}\}", "a reference that RunPod did not replace",
     f"create a secret of that name, or {_WRITE}"),
)  # fmt: skip
_BARE = (
    (r"\$[A-Z_][A-Z0-9_]*(/.*)?", "a reference that only a shell replaces", _WRITE),
    (r"~/.*", "a path from ~, which only a shell replaces", "give the absolute path"),
)
#: What templates of other languages write where they have nothing. `None` means not set.
_NOTHING = re.compile(r"null|nil|undefined|<nil>|<none>|<null>|<no value>", re.IGNORECASE)
_COMMENT = re.compile(r"([^{}\n]*[^{}\s]|[{\[].*[}\]])\s+#(\s[^{}\n]*)?")
#: Typographic quotes around a text, and what nobody sees: a space without width, a joiner, a mark.
_ODD = re.compile(
    "^[\u201c\u201d\u201e\u2018\u2019]|[\u201c\u201d\u2018\u2019]$|[\u200b\u2060\ufeff]"
)
_ANEW = "type the value anew"


def take(given: Mapping[str, str], names: Collection[str]) -> tuple[Mapping[str, str], Findings]:
    """The environment without such values, and an error for each.

    Args:
        given: the environment.
        names: the variables that mean something here; others are looked at by nobody.
    """
    found = {}
    for name in names:
        if (fault := _fault(name, given.get(name, "").strip())) is not None:
            found[name] = fault
    if not found:
        return given, Findings()
    kept = {name: text for name, text in given.items() if name not in found}
    return kept, Findings.of(*(found[name] for name in sorted(found)))


def _fault(name: str, text: str) -> Fault | None:
    if (found := _what(name, text)) is None:
        return None
    shown = masked(name, text)
    what, remedy = found
    return Fault(name, shown, f"{name}={shown} {what}", remedy)


def _what(name: str, text: str) -> tuple[str, str] | None:
    """What is wrong with the text, as the end of a sentence, and its remedy."""
    if "#" in text and _has_comment(name, text):
        what = "ends with a comment, which is a part of the value here"
        return what, "put the comment on a line of its own"
    if not text.isascii() and "{" not in text and (odd := _ODD.search(text)):
        return f"has the character U+{ord(odd[0]):04X} in it, as text that is copied has", _ANEW
    bare = text.strip("\"'")  # Docker keeps them, and they are taken off after this
    if _NOTHING.fullmatch(bare):
        return "is a word for no value, which vLLM would take for the value", "unset it"
    if bare[:1] not in {"$", "~", "{"}:
        return None
    # A key may begin with a dollar sign; braces around a name it has not.
    for pattern, what, remedy in _FORMS if is_secret(name) else (*_FORMS, *_BARE):
        if re.fullmatch(pattern, bare, re.DOTALL):
            return f"is {what}", remedy
    return None


def _has_comment(name: str, text: str) -> bool:
    if name.endswith("CHAT_TEMPLATE"):
        return False  # a # may be meant there, and here in quotes
    if name == table.VLLM_EXTRA_ARGS.name and ("'" in text or '"' in text):
        return False
    return bool(_COMMENT.fullmatch(text))
