"""`python -m bench.around.volume FOLDER MOUNTPOINT --rate N`: a slow network volume, read only.

It speaks the kernel's FUSE protocol itself (include/uapi/linux/fuse.h, version 7.31), so that no
library is needed: root, or CAP_SYS_ADMIN, and /dev/fuse are enough. All readers together get
`--rate` bytes a second; names and attributes cost nothing. It prints a line when it is mounted,
unmounts itself at SIGTERM, and ends with 1 and a sentence where it cannot mount. Each mount begins
with an empty page cache.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import signal
import stat
import struct
import sys
import threading
import time
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


_NO_ANSWER = {Op.FORGET, Op.BATCH_FORGET, Op.INTERRUPT}
_IN = struct.Struct("<IIQQIIII")  # length, operation, unique, node, uid, gid, pid, padding
_OUT = struct.Struct("<IiQ")  # length, error, unique
_READ_IN = struct.Struct("<QQI")  # handle, offset, size
_ENTRY = struct.Struct("<QQQQII")  # node, generation; for how long name and attributes hold
_ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
_INIT_OUT = struct.Struct("<IIIIHHIIHHI28x")
_STATFS_OUT = struct.Struct("<QQQQQIIII24x")
_MAJOR, _MINOR = 7, 31
_ASYNC_READ = 1
_KEEP_CACHE = 2
_HOLD = 3600  # seconds: nothing changes
_BUFFER = 256 * 1024  # bytes of a request at most
_READERS = 16  # threads
_READ_ONLY, _DETACH = 1, 2  # MS_RDONLY, MNT_DETACH
_MOUNTED = "mounted"


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
    """The files of a folder, as the kernel asks for them."""

    def __init__(self, folder: Path, rate: float) -> None:
        self._rate = Rate(rate)
        self._lock = threading.Lock()
        self._paths = {1: folder}  # by node; kept for good, for a model has few files
        self._nodes = {folder: 1}

    def answer(self, operation: int, node: int, body: bytes) -> bytes:
        """The body of the answer to a request. Raises OSError, which is the answer then."""
        if operation == Op.INIT:
            return _begun(body)
        path = self._paths[node]
        match operation:
            case Op.LOOKUP:
                return self._entry(path / os.fsdecode(body.rstrip(b"\0")))
            case Op.GETATTR:
                return struct.pack("<QII", _HOLD, 0, 0) + _attributes(path, node)
            case Op.READLINK:
                return os.fsencode(path.readlink())
            case Op.OPEN | Op.OPENDIR:
                return struct.pack("<QII", 0, _KEEP_CACHE, 0)
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


def _begun(body: bytes) -> bytes:
    major, minor, readahead = struct.unpack_from("<III", body)
    if major != _MAJOR:
        raise OSError(errno.EPROTO, f"the kernel speaks FUSE {major}")
    return _INIT_OUT.pack(
        *(_MAJOR, min(minor, _MINOR), readahead, _ASYNC_READ),
        *(_READERS, _READERS - 4, 4096, 1, 0, 0, 0),
    )


def _attributes(path: Path, node: int) -> bytes:
    found = path.lstat()
    times = (int(each) for each in (found.st_atime, found.st_mtime, found.st_ctime))
    size = (found.st_size, -(-found.st_size // 512))
    return _ATTRIBUTES.pack(node, *size, *times, 0, 0, 0, found.st_mode, 1, 0, 0, 0, 4096, 0)


def serve(device: int, volume: Volume) -> None:
    """Answer the kernel's requests until it is unmounted."""
    while True:
        try:
            request = os.read(device, _BUFFER)
        except OSError as reason:
            if reason.errno in {errno.ENOENT, errno.EINTR, errno.EAGAIN}:  # that one is withdrawn
                continue
            return
        _, operation, unique, node, *_ = _IN.unpack_from(request)
        if operation in _NO_ANSWER:
            continue
        body, error = b"", 0
        try:
            body = volume.answer(operation, node, request[_IN.size :])
        except OSError as reason:
            error = -(reason.errno or errno.EIO)
        except (LookupError, ValueError, struct.error):  # otherwise its caller would wait for ever
            error = -errno.EIO
        try:
            os.write(device, _OUT.pack(_OUT.size + len(body), error, unique) + body)
        except OSError:  # nobody waits for it any more
            continue


def mount(device: int, place: Path) -> None:
    """Mount what `device` is the other end of. Raises OSError."""
    options = f"fd={device},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
    names = (b"slow-volume", os.fsencode(place), b"fuse.slow-volume")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(*names, ctypes.c_ulong(_READ_ONLY), options.encode()):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unmount(place: Path) -> None:
    """Take it away, also from those who still use it."""
    ctypes.CDLL(None).umount2(os.fsencode(place), _DETACH)


def main(arguments: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("place", type=Path)
    parser.add_argument("--rate", type=float, required=True, help="bytes a second")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: unmount(asked.place))
    signal.signal(signal.SIGINT, lambda *_: unmount(asked.place))
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
        mount(device, asked.place)
    except OSError as reason:
        print(f"no volume can be mounted here: {reason.strerror}", flush=True)
        return 1
    volume = Volume(asked.folder.resolve(), asked.rate)
    readers = [
        threading.Thread(target=serve, args=(device, volume), daemon=True) for _ in range(_READERS)
    ]
    for reader in readers:
        reader.start()
    print(_MOUNTED, flush=True)
    while any(reader.is_alive() for reader in readers):
        time.sleep(0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
