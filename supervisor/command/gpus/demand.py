"""What a command asks of each GPU's memory, as far as its options tell. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...catalog import Catalog
from ...models.fit import GIB, Demand
from ..arguments import Arguments
from .parallel import PIPELINE, TENSOR, size_of

_SHARE = "--gpu-memory-utilization"
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


def read(said: Arguments, catalog: Catalog | None, configured: frozenset[str]) -> Demand | None:
    """What the command asks; None where a file that is not read here may say otherwise.

    Args:
        said: its options.
        catalog: for the defaults.
        configured: what VLLM_CONFIG_FILE sets, as `dtype`.
    """
    if catalog is None or configured & {flag.removeprefix("--") for flag in (*_READ, *_LESS)}:
        return None
    tensor, pipeline = size_of(said, TENSOR), size_of(said, PIPELINE)
    share = 1.0 if said.value(_CACHE) else _number(said, catalog, _SHARE)
    offload = _number(said, catalog, _OFFLOAD)
    if not tensor or not pipeline or share is None or not 0 < share <= 1:
        return None
    return Demand(
        tensor,
        pipeline,
        share,
        (offload or 0.0) * GIB,
        said.value(_DTYPE) or "auto",
        said.value(_QUANTIZATION) or "",
        said.value(_FORMAT) or "auto",
        tuple(_doubts(said)),
    )


def _doubts(said: Arguments) -> Iterator[str]:
    if (name := said.value(_FORMAT) or "auto") not in _AS_STORED:
        yield f"{_FORMAT}={name}"
    for flag in _LESS:
        if (argument := said.last(flag)) is not None and not argument.spelt.startswith("--no-"):
            yield flag


def _number(said: Arguments, catalog: Catalog, flag: str) -> float | None:
    """The number that the command says, else the engine's default; None where there is none."""
    option = catalog.option(flag)
    text = said.value(flag)
    if text is None:
        default = option.default if option is not None else None
        return float(default) if isinstance(default, int | float) else None
    try:
        return float(text)
    except ValueError:  # the engine will refuse it
        return None
