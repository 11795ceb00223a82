"""Numbers that vLLM's configuration refuses: fractions over 1, sizes of 0. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...catalog import Option
from ...catalog.bounds import ANY, Bounds
from .. import values
from ..arguments import Argument, Arguments
from .names import is_on
from .refusal import Refusal

_SIZE = Bounds(ge=1)
_AMOUNT = Bounds(ge=0)

#: For catalogues without bounds: what has held in every version. A test holds it against those.
COMMON: Mapping[str, Bounds] = {
    "--gpu-memory-utilization": Bounds(gt=0, le=1),
    "--tensor-parallel-size": _SIZE,
    "--pipeline-parallel-size": _SIZE,
    "--data-parallel-size": _SIZE,
    "--max-num-seqs": _SIZE,
    "--max-num-batched-tokens": _SIZE,
    "--block-size": _SIZE,
    "--max-loras": _SIZE,
    "--max-lora-rank": _SIZE,
    "--num-scheduler-steps": _SIZE,
    "--stream-interval": _SIZE,
    "--max-logprobs": Bounds(ge=-1),
    "--cpu-offload-gb": _AMOUNT,
    "--swap-space": _AMOUNT,
}
_LORA = "LoRAConfig"
_OF_LORA = {"--max-loras", "--max-lora-rank"}
#: Classes that are made for some models alone: whether for this one nobody knows here.
_OF_SOME_MODELS = {"MultiModalConfig"}


def check(option: Option, argument: Argument, options: Arguments) -> Iterator[Refusal]:
    """Refuse a number beyond the option's bounds."""
    bounds = option.bounds if option.bounds != ANY else COMMON.get(option.flag, ANY)
    if option.flag == "--max-model-len" and not option.auto_ok and option.bounds == ANY:
        bounds = _SIZE
    for text in argument.values if bounds != ANY else ():
        number = values.number(text)
        if number is not None and not bounds.admit(number):
            yield Refusal(
                text,
                f"is out of range: it has to be {bounds}",
                certain=_is_looked_at(option, options),
            )


def _is_looked_at(option: Option, options: Arguments) -> bool:
    if option.owner == _LORA or option.flag in _OF_LORA:
        return is_on(options, "--enable-lora")
    return option.owner not in _OF_SOME_MODELS
