"""Files that the page cache does not have."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from supervisor.foreign.reading.pages import cached

PAGE = mmap.PAGESIZE


def write_cold(path: Path, size: int) -> Path:
    """A file of `size` bytes, of which nothing is in the page cache."""
    path.write_bytes(os.urandom(size))
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    assert share(path) == 0
    return path


def share(path: Path) -> float:
    """Which share of a file the page cache has."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        found = cached(descriptor, 0, path.stat().st_size)
    finally:
        os.close(descriptor)
    assert found is not None
    return found
