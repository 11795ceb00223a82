"""A file system of FUSE that hangs, is slow, or drops its pages: `python -m tests.fuse`.

It shows the regular files of a folder, for reading alone, by the kernel's own protocol
(linux/fuse.h), so that it needs no library: only root and /dev/fuse. Its arguments are the place
and the folder, and

    --hang-reads=NAME  a read of that file is never answered
    --hang-opens=NAME  it is never opened, and whoever tries outlives SIGKILL
    --keep-cache       pages outlive the next open; without it the kernel drops them then
    --rate=BYTES       of a second in one read; reads wait beside each other

`mounted` runs it; its end unmounts it and wakes whoever hung.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import os
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.processes import ROOT, until

_IN = struct.Struct("<IIQQIIIHH")
_OUT = struct.Struct("<IiQ")
_ATTR = struct.Struct("<QQQQQQIIIIIIIIII")
_DIRENT = struct.Struct("<QQII")
_LOOKUP, _FORGET, _GETATTR, _OPEN, _READ, _STATFS = 1, 2, 3, 14, 15, 17
_RELEASE, _FLUSH, _INIT, _OPENDIR, _READDIR, _RELEASEDIR = 18, 25, 26, 27, 28, 29
_INTERRUPT, _BATCH_FORGET = 36, 42
_UNANSWERED = {_FORGET, _INTERRUPT, _BATCH_FORGET}
_ASYNC_READ = 1
_KEEP_CACHE = 2
_DETACH = 2  # of umount2(2)
_LARGEST = 1 << 20  # bytes of a request
_libc = ctypes.CDLL(None, use_errno=True)


def can_mount() -> bool:
    """Whether this machine lets us."""
    return os.geteuid() == 0 and os.access("/dev/fuse", os.W_OK)


@contextlib.contextmanager
def mounted(place: Path, folder: Path, *options: str) -> Iterator[Path]:
    """Mount it at `place`, which is made, while the block runs."""
    place.mkdir()
    command = [sys.executable, "-m", "tests.fuse", str(place), str(folder), *options]
    server = subprocess.Popen(command, cwd=ROOT)
    try:
        until(lambda: str(place) in Path("/proc/self/mounts").read_text(), what="the mount")
        yield place
    finally:
        server.kill()  # the kernel then ends what hangs
        server.wait()
        _libc.umount2(os.fsencode(place), _DETACH)


def hangs(pid: int, place: Path) -> bool:
    """Whether a thread of that process waits for an answer that never comes, from this one."""
    hung = _hung(place)
    threads = hung.read_text().split() if hung.exists() else []
    return any(Path(f"/proc/{pid}/task/{thread}").exists() for thread in threads)


def _hung(place: Path) -> Path:
    """Where the server writes down who hangs."""
    return place.with_name(f"{place.name}.hung")


def main() -> None:
    """Mount, and answer until the mount is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("place")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hang-reads", default="")
    parser.add_argument("--hang-opens", default="")
    parser.add_argument("--keep-cache", action="store_true")
    parser.add_argument("--rate", type=float, default=0.0)
    Server(parser.parse_args()).run()


class Server:
    """One mount. Node 1 is its folder, the files are those behind it."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self._asked = asked
        self._files = sorted(path for path in asked.folder.iterdir() if path.is_file())
        self._open = {at: os.open(path, os.O_RDONLY) for at, path in enumerate(self._files, 2)}
        self._kernel = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self._kernel},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _libc.mount(b"stand-in", os.fsencode(asked.place), b"fuse.standin", 0, options.encode()):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def run(self) -> None:
        """Answer; slow and hanging reads by threads, so that the rest goes on."""
        while True:
            try:
                request = os.read(self._kernel, _LARGEST + 4096)
            except OSError as gone:
                if gone.errno == errno.ENOENT:  # was interrupted
                    continue
                return
            _, operation, number, node, _, _, thread, *_ = _IN.unpack_from(request)
            body = request[_IN.size :]
            if operation in _UNANSWERED:
                continue
            if self._hangs(operation, node):
                with _hung(Path(self._asked.place)).open("a") as file:
                    file.write(f"{thread}\n")
                continue
            if operation == _READ:
                threading.Thread(target=self._read, args=(number, node, body)).start()
            else:
                self._reply(number, self._answer(operation, node, body))

    def _hangs(self, operation: int, node: int) -> bool:
        names = {_READ: self._asked.hang_reads, _OPEN: self._asked.hang_opens}
        name = names.get(operation)
        return bool(name) and node in self._open and self._files[node - 2].name == name

    def _answer(self, operation: int, node: int, body: bytes) -> bytes | int:
        match operation:
            case 26:  # INIT
                return struct.pack("<IIIIHHI", 7, 31, 1 << 17, _ASYNC_READ, 64, 48, 4096).ljust(
                    64, b"\0"
                )
            case 1:  # LOOKUP
                name = body.rstrip(b"\0").decode()
                found = [at for at, path in enumerate(self._files, 2) if path.name == name]
                if not found:
                    return errno.ENOENT
                return struct.pack("<QQQQII", found[0], 0, 60, 60, 0, 0) + self._attributes(
                    found[0]
                )
            case 3:  # GETATTR
                return struct.pack("<QII", 60, 0, 0) + self._attributes(node)
            case 14 | 27:  # OPEN, OPENDIR
                keep = self._asked.keep_cache and operation == _OPEN
                return struct.pack("<QIi", 0, _KEEP_CACHE if keep else 0, 0)
            case 28:  # READDIR
                return self._entries(int.from_bytes(body[8:16], "little"))
            case 17:  # STATFS
                return bytes(80)
            case 18 | 25 | 29:  # RELEASE, FLUSH, RELEASEDIR
                return b""
        return errno.ENOSYS

    def _attributes(self, node: int) -> bytes:
        size, mode = 0, stat.S_IFDIR | 0o755
        if node in self._open:
            size, mode = os.fstat(self._open[node]).st_size, stat.S_IFREG | 0o644
        return _ATTR.pack(node, size, -(-size // 512), *[0] * 6, mode, 1, 0, 0, 0, 4096, 0)

    def _entries(self, at: int) -> bytes:
        if at:
            return b""
        entries = b""
        for node, path in enumerate(self._files, 2):
            name = path.name.encode()
            entry = _DIRENT.pack(node, node, len(name), stat.S_IFREG >> 12) + name
            entries += entry.ljust(-(-len(entry) // 8) * 8, b"\0")
        return entries

    def _read(self, number: int, node: int, body: bytes) -> None:
        _, start, size = struct.unpack_from("<QQI", body)
        if self._asked.rate:
            time.sleep(size / self._asked.rate)
        self._reply(number, os.pread(self._open[node], size, start))

    def _reply(self, number: int, answer: bytes | int) -> None:
        data, error = (b"", -answer) if isinstance(answer, int) else (answer, 0)
        with contextlib.suppress(OSError):  # whoever asked has gone
            os.write(self._kernel, _OUT.pack(_OUT.size + len(data), error, number) + data)


if __name__ == "__main__":
    main()
