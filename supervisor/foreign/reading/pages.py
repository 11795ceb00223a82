"""Which pages of a file the page cache has (mincore(2))."""

from __future__ import annotations

import ctypes
import mmap
import os

_FAILED = ctypes.c_void_p(-1).value
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_longlong,
)  # fmt: skip
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)


def cached(descriptor: int, start: int, length: int) -> float | None:
    """Which share of a part of a file is in the page cache, 0 to 1; None where that is not told.

    To those who neither own the file nor may write to it the kernel says that all of it is there.

    Args:
        descriptor: of the file.
        start: of the part, in bytes; a multiple of a page.
        length: in bytes, more than 0.
    """
    if not _is_told(descriptor):
        return None
    # A private mapping, because FUSE refuses a shared one of what is read past the page cache.
    place = _libc.mmap(None, length, mmap.PROT_READ, mmap.MAP_PRIVATE, descriptor, start)
    if place in {None, _FAILED}:
        return None
    try:
        pages = -(-length // mmap.PAGESIZE)
        found = ctypes.create_string_buffer(pages)
        if _libc.mincore(place, length, found):
            return None
        return sum(byte & 1 for byte in found.raw) / pages
    finally:
        _libc.munmap(place, length)


def _is_told(descriptor: int) -> bool:
    own = os.geteuid()
    return own in {0, os.fstat(descriptor).st_uid} or os.access(
        f"/proc/self/fd/{descriptor}", os.W_OK
    )
