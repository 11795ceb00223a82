"""What a dead download leaves is removed, and nothing else."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path

import pytest

from supervisor.foreign.download import leavings
from supervisor.foreign.download.leavings import Cached

OF_ONE_PROCESS = "abc.0123abcd.incomplete"


def unsupported(_descriptor: int, _how: int) -> None:
    """As a file system without flock answers."""
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


@pytest.fixture
def place(tmp_path: Path) -> Cached:
    made = Cached(tmp_path, "org/tiny")
    made.blobs.mkdir(parents=True)
    made.locks.mkdir(parents=True)
    return made


def file(path: Path, *, age: float = 0.0) -> Path:
    path.write_bytes(b"x" * 5000)
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def test_where_a_repository_is(tmp_path: Path) -> None:
    place = Cached(tmp_path, "org/tiny")
    assert place.blobs == tmp_path / "models--org--tiny" / "blobs"
    assert place.locks == tmp_path / ".locks" / "models--org--tiny"


def test_what_a_process_holds_open(place: Cached) -> None:
    part, whole = place.blobs / OF_ONE_PROCESS, place.blobs / "abc"
    lock = place.locks / "abc.lock"
    with part.open("wb"), whole.open("wb"), lock.open("wb"):
        found = leavings.being_written(os.getpid())
        assert found & {part, whole, lock} == {part, lock}
    assert part not in leavings.being_written(os.getpid())
    assert leavings.being_written(2**22 + 1) == frozenset()


def test_parts_are_removed_and_locks_that_nothing_frees(place: Cached) -> None:
    part, lock = file(place.blobs / OF_ONE_PROCESS), file(place.locks / "abc.lock")
    assert leavings.clear([part, lock, place.blobs / "gone.incomplete"]) == 1
    assert not part.exists()
    assert lock.exists(), "the kernel has freed it"
    assert leavings.clear([lock], unsupported) == 0
    assert not lock.exists()


def test_a_lock_that_somebody_holds_stays(place: Cached) -> None:
    lock = file(place.locks / "abc.lock")
    with lock.open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        leavings.clear([lock])
        assert leavings.clear_locks(place) == 0
    assert lock.exists()


def test_every_lock_of_a_repository_goes_where_there_is_no_flock(place: Cached) -> None:
    locks = [file(place.locks / f"{name}.lock") for name in "ab"]
    assert leavings.clear_locks(place) == 0
    assert leavings.clear_locks(place, unsupported) == 2
    assert not any(lock.exists() for lock in locks)
    assert leavings.clear_locks(Cached(place.hub, "org/none"), unsupported) == 0


def test_old_parts_with_which_nobody_goes_on(place: Cached) -> None:
    old = file(place.blobs / OF_ONE_PROCESS, age=700)
    resumed = file(place.blobs / "abc.incomplete", age=700)  # by older clients
    young = file(place.blobs / "def.0123abcd.incomplete", age=500)
    lock = file(place.locks / "abc.lock", age=700)
    files, size = leavings.clear_old(place, unsupported)
    assert (files, size > 0) == (1, True)
    assert not old.exists()
    assert resumed.exists()
    assert young.exists()
    assert lock.exists(), "somebody is downloading"


def test_an_old_part_that_another_worker_still_writes(place: Cached) -> None:
    """One that was frozen in its download, on a volume of several workers."""
    part, lock = file(place.blobs / OF_ONE_PROCESS, age=700), file(place.locks / "abc.lock")
    with lock.open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert leavings.clear_old(place) == (0, 0)
        assert part.exists()
    assert leavings.clear_old(place)[0] == 1
    assert not part.exists()


def test_the_part_with_which_another_process_goes_on(place: Cached) -> None:
    """As older clients do it: it gets the lock as soon as the one before is dead."""
    part, lock = file(place.blobs / "abc.incomplete"), file(place.locks / "abc.lock")
    own = file(place.blobs / OF_ONE_PROCESS)
    with lock.open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert leavings.clear([part, lock, own]) == 1
        assert part.exists()
        assert not own.exists()
    assert leavings.clear([part, lock]) == 1
    assert not part.exists()


@pytest.mark.parametrize(("age", "stays"), [(700, False), (10, True)])
def test_an_old_lock_that_nothing_frees(place: Cached, age: float, stays: bool) -> None:
    lock = file(place.locks / "abc.lock", age=age)
    leavings.clear_old(place)
    assert lock.exists()
    leavings.clear_old(place, unsupported)
    assert lock.exists() == stays


def test_a_write_changes_the_marks(place: Cached) -> None:
    empty = leavings.marks([place, Cached(place.hub, "org/none")])
    part = file(place.blobs / OF_ONE_PROCESS)
    one = leavings.marks([place])
    assert one != empty
    with part.open("ab") as more:
        more.write(b"y")
    assert leavings.marks([place]) != one
