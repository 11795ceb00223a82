"""One process at a time has the turn, and can take it again while it has it."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from tests.turns import Turn


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the locks are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "vllm-supervisor"


def is_free(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_it_is_held_until_all_that_took_it_have_given_it_back(cache: Path) -> None:
    """In any order: an engine of a module outlives the test that was the first to need one."""
    turn, lock = Turn("one"), cache / "one.lock"
    test, module = turn.taken(), turn.taken()
    with test:
        module.__enter__()
        assert not is_free(lock)
    assert not is_free(lock)
    module.__exit__(None, None, None)
    assert is_free(lock)
    with turn.taken():
        assert not is_free(lock)


def test_what_fails_gives_it_back(cache: Path) -> None:
    turn = Turn("one")
    with pytest.raises(ZeroDivisionError), turn.taken():
        _ = 1 / 0
    assert is_free(cache / "one.lock")
