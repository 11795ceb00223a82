"""Where the files of a model are, and on which kind of file system: the kernel lists its mounts."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..files import exists, is_dir, is_file, listed
from ..foreign.download.choice import is_of
from ..foreign.reading import mounts
from . import hub
from .placement import Name, Stored

_QUANTIZED = re.compile(r"(?P<name>[^:]+):(?P<quantization>\w+)")  # org/name:Q4_K_M
_SUFFIX = ".safetensors"
_MOST = 0.9  # of what is free, as vLLM has it


def look(path: Path, mountinfo: Path = Path(mounts.FILE)) -> Stored | None:
    """What is to be known before the engine is spawned; None where nothing is there.

    Args:
        path: a model's folder, or a file of weights.
        mountinfo: as the kernel lists what is mounted.
    """
    try:
        kind = mounts.filesystem(mountinfo.read_text(encoding="utf-8"), os.path.realpath(path))
        fits = mounts.is_fuse(kind) and is_dir(path) and _fits(path)
    except (OSError, ValueError):
        kind, fits = "", False
    return Stored(str(path), kind, fits) if exists(path) else None


def place(text: str, revision: str, weights: Path, rest: Path) -> Path | None:
    """The folder or the file with the weights that the engine will find by itself.

    Args:
        text: a path, a repository, or a file in GGUF of one.
        revision: may be empty.
        weights: the cache of the hub's client for weights.
        rest: its cache for everything else.
    """
    if (file := quantized(text)) is not None:
        return gguf(weights, file[0], revision, file[1], rest)
    if (name := Name.parse(text)) is None:
        return Path(text) if text else None
    return hub.cached(weights, name, revision, rest=rest)


def quantized(text: str) -> tuple[Name, str] | None:
    """`org/name:Q4_K_M`: the repository, and which file in GGUF of it; None for anything else."""
    match = _QUANTIZED.fullmatch(text.strip())
    name = None if match is None else Name.parse(match["name"])
    return None if match is None or name is None else (name, match["quantization"])


def gguf(weights: Path, name: Name, revision: str, quantization: str, rest: Path) -> Path | None:
    """A file in GGUF of a cached repository, the first of its parts; None where one is missing."""
    for snapshot in hub.at_rest(weights, name, revision, rest):
        inside = [file for folder in (snapshot, *listed(snapshot)) for file in listed(folder)]
        files = [file for file in inside if is_of(file.name, quantization) and is_file(file)]
        if files and hub.complete_sets(files):
            return files[0]
    return None


def _fits(folder: Path) -> bool:
    from ..foreign.reading import room  # for FUSE alone

    with os.scandir(folder) as entries:
        size = sum(each.stat().st_size for each in entries if each.name.endswith(_SUFFIX))
    left = room.look()
    return left is not None and 0 < size <= left.free * _MOST
