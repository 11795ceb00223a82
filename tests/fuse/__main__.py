"""`python -m tests.fuse FOLDER MOUNTPOINT`: a volume that is slow, hangs or drops its pages.

It shows a folder, for reading alone, and speaks the kernel's own protocol, so that no library is
needed: root, or CAP_SYS_ADMIN, and /dev/fuse are enough. Names and attributes cost nothing. It
prints a line when it is mounted, unmounts itself at SIGTERM, and ends with 1 and a sentence where
it cannot mount. Each mount begins with an empty page cache.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import signal
import struct
import sys
import threading
import time
from pathlib import Path

from tests.fuse import MOUNTED, hung, unmount
from tests.fuse.volume import READERS, Faults, Op, Volume

_NO_ANSWER = {Op.FORGET, Op.BATCH_FORGET, Op.INTERRUPT}
_IN = struct.Struct("<IIQQIIII")  # length, operation, unique, node, uid, gid, pid, padding
_OUT = struct.Struct("<IiQ")  # length, error, unique
_BUFFER = 256 * 1024  # bytes of a request at most
_READ_ONLY = 1  # MS_RDONLY


def serve(device: int, volume: Volume, hanging: Path) -> None:
    """Answer the kernel's requests until it is unmounted; who hangs is written down."""
    while True:
        try:
            request = os.read(device, _BUFFER)
        except OSError as reason:
            if reason.errno in {errno.ENOENT, errno.EINTR, errno.EAGAIN}:  # that one is withdrawn
                continue
            return
        _, operation, unique, node, _, _, thread, _ = _IN.unpack_from(request)
        if operation in _NO_ANSWER:
            continue
        body, error = b"", 0
        if volume.hangs(operation, node, request[_IN.size :]):
            with hanging.open("a") as file:
                file.write(f"{thread}\n")
            continue
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
    options = f"fd={device},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()},allow_other"
    names = (b"stand-in", os.fsencode(place), b"fuse.standin")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(*names, ctypes.c_ulong(_READ_ONLY), options.encode()):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def main(arguments: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("place", type=Path)
    parser.add_argument("--rate", type=float, default=0, help="bytes a second, for all readers")
    parser.add_argument("--keep-cache", action="store_true", help="pages outlive the next open")
    for what in ("reads", "opens", "looks"):
        parser.add_argument(f"--hang-{what}", default="", metavar="NAME", help="never answered")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: unmount(asked.place))
    signal.signal(signal.SIGINT, lambda *_: unmount(asked.place))
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
        mount(device, asked.place)
    except OSError as reason:
        print(f"no volume can be mounted here: {reason.strerror}", flush=True)
        return 1
    faults = Faults(asked.hang_reads, asked.hang_opens, asked.hang_looks)
    volume = Volume(asked.folder.resolve(), asked.rate, keeps=asked.keep_cache, faults=faults)
    arguments_of_each = (device, volume, hung(asked.place))
    readers = [
        threading.Thread(target=serve, args=arguments_of_each, daemon=True) for _ in range(READERS)
    ]
    for reader in readers:
        reader.start()
    print(MOUNTED, flush=True)
    while any(reader.is_alive() for reader in readers):
        time.sleep(0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
