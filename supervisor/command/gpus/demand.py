"""What a command asks of each GPU's memory, as far as its options tell. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...catalog import Catalog
from ...models.demand import GIB, Demand
from ..arguments import Arguments
from .parallel import DATA, PIPELINE, TENSOR, size_of

_SHARE = "--gpu-memory-utilization"
_SHARE_MOST = 0.92  # the largest default of the known versions, for an engine that is not asked
_CACHE = "--kv-cache-memory-bytes"
_OFFLOAD = "--cpu-offload-gb"
_DTYPE = "--dtype"
_QUANTIZATION = "--quantization"
_FORMAT = "--load-format"
#: What the answer is made of: where the configuration file sets one of them, nobody knows here.
_READ = (TENSOR, PIPELINE, _SHARE, _CACHE, _OFFLOAD, _DTYPE, _QUANTIZATION, _FORMAT)
#: Formats whose files hold the weights as they are run.
_AS_STORED = {
    "auto", "safetensors", "hf", "pt", "mistral", "npcache", "gguf", "fastsafetensors",
    "instanttensor", "runai_streamer", "sharded_state", "runai_streamer_sharded",
}  # fmt: skip
#: Options with which less is loaded onto each GPU than the files hold.
_LESS = (
    "--enable-expert-parallel", "--offload-group-size", "--offload-backend", "--offload-params",
    "--quantization-config", "--quantization-param-path", "--language-model-only",
    "--hf-overrides", "--convert", "--task", "--model-loader-extra-config", "--headless",
)  # fmt: skip


#: Sizes by which the experts of a model are divided, too.
_SPREAD = (DATA, "--prefill-context-parallel-size")


def read(said: Arguments, catalog: Catalog | None, configured: frozenset[str]) -> Demand | None:
    """What the command asks; None where a file that is not read here may say otherwise.

    Args:
        said: its options.
        catalog: for the defaults.
        configured: what VLLM_CONFIG_FILE sets, as `dtype`.
    """
    asked = {flag.removeprefix("--") for flag in (*_READ, *_LESS, *_SPREAD)}
    if catalog is None or configured & asked:
        return None
    tensor, pipeline = size_of(said, TENSOR), size_of(said, PIPELINE)
    share = 1.0 if said.value(_CACHE) else _number(said, catalog, _SHARE, _SHARE_MOST)
    offload = _number(said, catalog, _OFFLOAD, 0.0)
    if not tensor or not pipeline or not 0 < share <= 1 or not offload >= 0:
        return None
    return Demand(
        tensor,
        pipeline,
        share,
        offload * GIB,
        said.value(_DTYPE) or "auto",
        said.value(_QUANTIZATION) or "",
        _format(said),
        tuple(_doubts(said)),
    )


def _format(said: Arguments) -> str:
    """In lower case, as vLLM takes it."""
    return (said.value(_FORMAT) or "auto").lower()


def _doubts(said: Arguments) -> Iterator[str]:
    if (name := _format(said)) not in _AS_STORED:
        yield f"{_FORMAT}={name}"
    for flag in _SPREAD:
        if size_of(said, flag) != 1:
            yield flag
    for flag in _LESS:
        if (argument := said.last(flag)) is not None and not argument.spelt.startswith("--no-"):
            yield flag


def _number(said: Arguments, catalog: Catalog, flag: str, otherwise: float) -> float:
    """The number that the command says, else the engine's default; NaN for what is no number."""
    text = said.value(flag)
    if text is None:
        option = catalog.option(flag)
        default = option.default if option is not None else None
        return float(default) if isinstance(default, int | float) else otherwise
    try:
        return float(text)
    except ValueError:  # the engine will refuse it
        return math.nan
