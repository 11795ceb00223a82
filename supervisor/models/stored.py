"""On which kind of file system a model is: a look at the kernel's list of mounts."""

from __future__ import annotations

import os
from pathlib import Path

from ..files import exists, is_dir
from ..foreign.reading import mounts
from .placement import Stored

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


def _fits(folder: Path) -> bool:
    from ..foreign.reading import room  # for FUSE alone

    with os.scandir(folder) as entries:
        size = sum(each.stat().st_size for each in entries if each.name.endswith(_SUFFIX))
    left = room.look()
    return left is not None and 0 < size <= left.free * _MOST
