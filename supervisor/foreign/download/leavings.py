"""What a download that is dead has left in a cache of the hub's client, and how it is removed.

The client writes `blobs/NAME.incomplete` under the lock `.locks/REPOSITORY/NAME.lock`. The kernel
frees such a lock with its process. Where a file system has no `flock`, the lock is the file itself,
and whoever wants the same content waits for a process that is gone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

#: Seconds without a byte after which nobody writes any more: the client waits 10 for one.
_DEAD_AFTER = 600.0
#: A name that belongs to one process: no other will ever go on with it. (Older clients go on.)
_OF_ONE_PROCESS = re.compile(r".+\.[0-9a-f]{8}\.incomplete")
_PART = ".incomplete"


@dataclass(frozen=True)
class Cached:
    """A repository in a cache of the client's: `hub` is the folder with `models--ORG--NAME`."""

    hub: Path
    repository: str

    @property
    def name(self) -> str:
        """Its folder's."""
        return "models--" + self.repository.replace("/", "--")

    @property
    def blobs(self) -> Path:
        """Where its files' contents are."""
        return self.hub / self.name / "blobs"

    @property
    def locks(self) -> Path:
        """Where the locks of its files are."""
        return self.hub / ".locks" / self.name


def being_written(pid: int, proc: Path = Path("/proc")) -> frozenset[Path]:
    """The parts of files, and the locks, that a process holds open."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in (proc / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                path = descriptor.readlink()
                if path.suffix in {_PART, ".lock"}:
                    found.add(path)
    return frozenset(found)


def clear(paths: Iterable[Path], flock: Callable[[int, int], None] = fcntl.flock) -> int:
    """Remove what a process that is dead held open: its parts, and locks that nothing frees.

    Returns:
        How many parts there were.
    """
    removed = 0
    for path in paths:
        if path.suffix == _PART:
            own = _OF_ONE_PROCESS.fullmatch(path.name)  # else another may go on with it just now
            removed += _removed(path) if own else _removed_unless_locked(path, flock)
        elif _outlives(path, flock):
            _removed(path)
    return removed


def clear_locks(place: Cached, flock: Callable[[int, int], None] = fcntl.flock) -> int:
    """Remove every lock of a repository that nothing frees, where nobody downloads it any more.

    Returns:
        How many there were.
    """
    locks = _files(place.locks, ".lock")
    if not locks or not _outlives(locks[0], flock):  # all are on one file system
        return 0
    return sum(map(_removed, locks))


def clear_old(place: Cached, flock: Callable[[int, int], None] = fcntl.flock) -> tuple[int, int]:
    """Remove what a download left that broke off long ago: parts with which nobody goes on, locks.

    The cache may be on a volume where another worker downloads. One that stood still (frozen, or
    its disk did) has a part that looks as old as those of the dead, but holds its lock.

    Returns:
        How many files, and their bytes.
    """
    now = time.time()
    files, size = 0, 0
    fresh = False
    for path in _files(place.blobs, _PART):
        with contextlib.suppress(OSError):
            found = path.stat()
            if now - found.st_mtime < _DEAD_AFTER:
                fresh = True
            elif _OF_ONE_PROCESS.fullmatch(path.name) and _removed_unless_locked(path, flock):
                files, size = files + 1, size + min(found.st_size, found.st_blocks * 512)
    if not fresh and all(_older(path, now) for path in _files(place.locks, ".lock")):
        files += clear_locks(place, flock)
    return files, size


def marks(places: Iterable[Cached]) -> frozenset[tuple[str, int, int, int]]:
    """What the files of repositories look like: another answer means that somebody wrote."""
    return frozenset(_marks(places))


def _marks(places: Iterable[Cached]) -> Iterator[tuple[str, int, int, int]]:
    for place in places:
        with contextlib.suppress(OSError):
            for path in place.blobs.iterdir():
                with contextlib.suppress(OSError):
                    found = path.stat()
                    yield str(path), found.st_size, found.st_blocks, found.st_mtime_ns


def _files(folder: Path, suffix: str) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix == suffix]
    except OSError:
        return []


def _older(path: Path, now: float) -> bool:
    try:
        return now - path.stat().st_mtime >= _DEAD_AFTER
    except OSError:
        return True


def _outlives(lock: Path, flock: Callable[[int, int], None]) -> bool:
    """Whether this lock is its file itself: the client makes such ones where there is no flock."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as reason:
        return reason.errno == errno.ENOSYS
    finally:
        os.close(descriptor)
    return False


def _removed_unless_locked(part: Path, flock: Callable[[int, int], None]) -> bool:
    """Remove a part, under the lock of its content: whoever writes it holds that."""
    repository = part.parent.parent
    name = part.name.partition(".")[0]  # a hash
    lock = repository.parent / ".locks" / repository.name / f"{name}.lock"
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_NONBLOCK)
    except FileNotFoundError:  # nobody has taken it
        return _removed(part)
    except OSError:  # somebody else's
        return False
    try:
        flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as reason:
        if reason.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return False
        return _removed(part)  # a file system without locks: its age is all that is known
    else:
        return _removed(part)
    finally:
        os.close(descriptor)


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True
