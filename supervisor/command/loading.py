"""Who reads a model's weights before they are asked for: the worker, and vLLM itself. Pure."""

from __future__ import annotations

from ..catalog import Catalog
from ..catalog.options import variable
from ..findings import Applied, Findings
from ..models.placement import OnDisk
from ..records import dataclass
from ..settings import table
from ..settings.read import Settings
from .arguments import Arguments

STRATEGY = "--safetensors-load-strategy"
_PREFETCH = "prefetch"
_FORMAT = "--load-format"
_OF_LOADER = "--model-loader-extra-config"
#: With it vLLM takes no strategy but `lazy` (model_loader/default_loader.py, 0.28 to 0.33).
_THREADED = "enable_multithread_load"
#: Options that say where the model is, or how it is read; on the command line they are followed.
_ELSEWHERE = ("--revision", "--download-dir")
#: Formats whose files are read through the page cache (vllm/config/load.py, 0.6 to 0.33). The
#: others read past it (runai_streamer, runai_streamer_sharded, tensorizer, fastsafetensors,
#: instanttensor), from elsewhere (ipc_cache, modelexpress), nothing (dummy), other files (npcache),
#: or are a plugin's.
_CACHED = {"auto", "hf", "safetensors", "mistral", "pt", "sharded_state", "gguf", "bitsandbytes"}
#: Of these, the ones whose loader takes a strategy.
_BY_STRATEGY = {"auto", "hf", "safetensors", "mistral"}


@dataclass(frozen=True, slots=True)
class ReadAhead:
    """What the worker reads while the engine imports.

    Attributes:
        path: the model's folder, or a file of weights.
        load_format: as LOAD_FORMAT has it.
    """

    path: str
    load_format: str


def ahead(
    said: Arguments, extra: Arguments, catalog: Catalog | None, disk: OnDisk, settings: Settings
) -> tuple[tuple[str, ...], ReadAhead | None, Findings]:
    """The option by which vLLM reads ahead itself, and what the worker reads.

    vLLM begins when it has imported everything. The worker begins before; but many file systems
    of FUSE drop what was read when a file is opened again, and then vLLM's reading is all there is.

    Args:
        said: all that the command line says without it.
        extra: what of that the user has said in VLLM_EXTRA_ARGS.
        catalog: what the engine accepts.
        disk: where the model is, and what the engine's configuration file sets.
        settings: the worker's.
    """
    if not settings[table.READ_AHEAD] or disk.stored is None or _is_elsewhere(extra, disk):
        return (), None, Findings()
    kind, load_format = disk.stored.filesystem, (said.value(_FORMAT) or "auto").lower()
    reading = ReadAhead(disk.stored.path, load_format) if load_format in _CACHED else None
    if disk.stored.fits_cache and load_format in _BY_STRATEGY and _may_be_told(said, catalog, disk):
        note = f"the model is on a file system of FUSE ({kind}): vLLM itself reads it ahead as well"
        row = Applied(variable(STRATEGY), _PREFETCH, STRATEGY, "worker", note)
        return (f"{STRATEGY}={_PREFETCH}",), reading, Findings.of(row)
    return (), reading, Findings()


def _is_elsewhere(extra: Arguments, disk: OnDisk) -> bool:
    """Whether the engine may load another model, or otherwise, than the variables alone tell."""
    set_by_file = {flag.removeprefix("--") for flag in (*_ELSEWHERE, _FORMAT)}
    return bool(disk.configured & set_by_file) or any(extra.last(flag) for flag in _ELSEWHERE)


def _may_be_told(said: Arguments, catalog: Catalog | None, disk: OnDisk) -> bool:
    """Whether this vLLM knows the strategy, and nobody has chosen another, or what excludes it."""
    option = catalog.option(STRATEGY) if catalog else None
    if option is None or _PREFETCH not in (*option.choices, *option.names):
        return False
    if disk.configured & {STRATEGY.removeprefix("--"), _OF_LOADER.removeprefix("--")}:
        return False
    return said.last(STRATEGY) is None and not any(
        each.flag.startswith(_OF_LOADER) and _THREADED in " ".join(each.tokens)
        for each in said.given
    )
