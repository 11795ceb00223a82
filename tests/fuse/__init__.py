"""A volume of FUSE for tests and benches, which is slow, hangs or drops its pages.

`__main__` mounts it and answers the kernel, `volume` has the files.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.processes import ROOT

MOUNTED = "mounted"  # what it says then
_DETACH = 2  # MNT_DETACH


class NoVolumeError(Exception):
    """None can be mounted here, and why."""


def can_mount() -> bool:
    """Whether this machine lets us."""
    return os.geteuid() == 0 and os.access("/dev/fuse", os.W_OK)


@contextlib.contextmanager
def mounted(place: Path, folder: Path, *options: str) -> Iterator[Path]:
    """Mount `folder` at `place`, which is made, while the block runs.

    Its end unmounts it and wakes whoever hangs.

    Args:
        place: where.
        folder: what it shows.
        options: of `python -m tests.fuse`.

    Raises:
        NoVolumeError: with the reason.
    """
    with served(place, folder, *options):
        yield place


@contextlib.contextmanager
def served(place: Path, folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """As `mounted`, with the process that answers the kernel."""
    place.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.fuse", str(folder), str(place), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        if (said := server.stdout.readline().strip()) != MOUNTED:
            raise NoVolumeError(said or "the volume's process ended")
        try:
            yield server
        finally:
            server.kill()  # the kernel then ends what hangs
            server.wait()
            unmount(place)


@contextlib.contextmanager
def dead(place: Path, folder: Path) -> Iterator[Path]:
    """As `mounted`, but its server is gone: each look at it ends with ENOTCONN."""
    with served(place, folder) as server:
        server.kill()
        server.wait()
        yield place


def unmount(place: Path) -> None:
    """Take it away, also from those who still use it."""
    ctypes.CDLL(None).umount2(os.fsencode(place), _DETACH)


def hangs(pid: int, place: Path) -> bool:
    """Whether a thread of that process waits for an answer that never comes, from this one."""
    return any(Path(f"/proc/{pid}/task/{thread}").exists() for thread in who_hangs(place))


def who_hangs(place: Path) -> list[int]:
    """The numbers of the threads that have asked what is never answered; some may have gone."""
    written = hung(place)
    return [int(number) for number in written.read_text().split()] if written.exists() else []


def hung(place: Path) -> Path:
    """Where the server writes down who hangs."""
    return place.with_name(f"{place.name}.hung")
