"""The files of a folder as the kernel asks for them by FUSE (include/uapi/linux/fuse.h, 7.31)."""

from __future__ import annotations

import errno
import os
import stat
import struct
import threading
import time
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


class Op(IntEnum):
    """Those of the kernel's requests that a file system to be read gets."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    READLINK = 5
    OPEN = 14
    READ = 15
    STATFS = 17
    RELEASE = 18
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    ACCESS = 34
    INTERRUPT = 36
    DESTROY = 38
    BATCH_FORGET = 42


_READ_IN = struct.Struct("<QQI")  # handle, offset, size
_ENTRY = struct.Struct("<QQQQII")  # node, generation; for how long name and attributes hold
_ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
_INIT_OUT = struct.Struct("<IIIIHHIIHHI28x")
_STATFS_OUT = struct.Struct("<QQQQQIIII24x")
_MAJOR, _MINOR = 7, 31
_ASYNC_READ = 1
_KEEP_CACHE = 2
_HOLD = 3600  # seconds: nothing changes
#: Requests that are answered beside each other.
READERS = 16


@dataclass(frozen=True, slots=True)
class Faults:
    """What is never answered: a read, an opening, a look at files of this name; empty for none."""

    reads: str = ""
    opens: str = ""
    looks: str = ""


class Rate:
    """So many bytes a second, for all together."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._due = 0.0
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Wait until `count` more bytes may go."""
        with self._lock:
            self._due = max(self._due, time.monotonic()) + count / self._rate
            due = self._due
        time.sleep(max(0.0, due - time.monotonic()))


class Volume:
    """One mount of a folder, to be read.

    Args:
        folder: what it shows.
        rate: bytes a second, for all readers together; 0 for as fast as it is.
        keeps: whether pages outlive the next open.
        faults: what hangs.
    """

    def __init__(self, folder: Path, rate: float, *, keeps: bool, faults: Faults) -> None:
        self._rate = Rate(rate) if rate else None
        self._open_flags = _KEEP_CACHE if keeps else 0
        self._faults = faults
        self._lock = threading.Lock()
        self._paths = {1: folder}  # by node; kept for good, for a model has few files
        self._nodes = {folder: 1}

    def hangs(self, operation: int, node: int, body: bytes) -> bool:
        """Whether this request is never answered."""
        match operation:
            case Op.LOOKUP:
                return bool(self._faults.looks) and _name(body) == self._faults.looks
            case Op.OPEN | Op.OPENDIR:
                return self._paths[node].name == self._faults.opens
            case Op.READ:
                return self._paths[node].name == self._faults.reads
        return False

    def answer(self, operation: int, node: int, body: bytes) -> bytes:
        """The body of the answer to a request. Raises OSError, which is the answer then."""
        if operation == Op.INIT:
            return _begun(body)
        path = self._paths[node]
        match operation:
            case Op.LOOKUP:
                return self._entry(path / _name(body))
            case Op.GETATTR:
                return struct.pack("<QII", _HOLD, 0, 0) + _attributes(path, node)
            case Op.READLINK:
                return os.fsencode(path.readlink())
            case Op.OPEN | Op.OPENDIR:
                return struct.pack("<QII", 0, self._open_flags, 0)
            case Op.READ:
                return self._read(path, *_READ_IN.unpack_from(body)[1:])
            case Op.READDIR:
                return self._listed(path, *_READ_IN.unpack_from(body)[1:])
            case Op.STATFS:
                return _STATFS_OUT.pack(1 << 20, 0, 0, 1000, 0, 4096, 255, 4096, 0)
            case Op.RELEASE | Op.FLUSH | Op.RELEASEDIR | Op.ACCESS | Op.DESTROY:
                return b""
        raise OSError(errno.ENOSYS, "not supported")

    def _node(self, path: Path) -> int:
        with self._lock:
            node = self._nodes.setdefault(path, len(self._nodes) + 1)
            self._paths[node] = path
            return node

    def _entry(self, path: Path) -> bytes:
        path.lstat()
        node = self._node(path)
        return _ENTRY.pack(node, 0, _HOLD, _HOLD, 0, 0) + _attributes(path, node)

    def _read(self, path: Path, offset: int, size: int) -> bytes:
        with path.open("rb") as file:
            data = os.pread(file.fileno(), size, offset)
        if self._rate is not None:
            self._rate.take(len(data))
        return data

    def _listed(self, path: Path, offset: int, size: int) -> bytes:
        found = b""
        for number, entry in enumerate(sorted(path.iterdir())[offset:], offset + 1):
            name = os.fsencode(entry.name)
            kind = stat.S_IFMT(entry.lstat().st_mode) >> 12
            row = struct.pack("<QQII", self._node(entry), number, len(name), kind) + name
            row += b"\0" * (-len(row) % 8)
            if len(found) + len(row) > size:
                break
            found += row
        return found


def _name(body: bytes) -> str:
    return os.fsdecode(body.rstrip(b"\0"))


def _begun(body: bytes) -> bytes:
    major, minor, readahead = struct.unpack_from("<III", body)
    if major != _MAJOR:
        raise OSError(errno.EPROTO, f"the kernel speaks FUSE {major}")
    return _INIT_OUT.pack(
        *(_MAJOR, min(minor, _MINOR), readahead, _ASYNC_READ),
        *(READERS, READERS - 4, 4096, 1, 0, 0, 0),
    )


def _attributes(path: Path, node: int) -> bytes:
    found = path.lstat()
    times = (int(each) for each in (found.st_atime, found.st_mtime, found.st_ctime))
    size = (found.st_size, -(-found.st_size // 512))
    return _ATTRIBUTES.pack(node, *size, *times, 0, 0, 0, found.st_mode, 1, 0, 0, 0, 4096, 0)
