"""One process at a time has the turn, and can take it again while it has it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client import PATIENCE
from tests.processes import ROOT
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
    turn, lock = Turn("one", "it"), cache / "one.lock"
    test, module = turn.taken(print), turn.taken(print)
    with test:
        module.__enter__()
        assert not is_free(lock)
    assert not is_free(lock)
    module.__exit__(None, None, None)
    assert is_free(lock)
    with turn.taken(print):
        assert not is_free(lock)


def test_what_fails_gives_it_back(cache: Path) -> None:
    turn = Turn("one", "it")
    with pytest.raises(ZeroDivisionError), turn.taken(print):
        _ = 1 / 0
    assert is_free(cache / "one.lock")


def test_the_wait_is_not_the_tests_time(cache: Path) -> None:
    """The timer of pytest-timeout stands still, and then goes on."""
    cache.mkdir()
    left: list[float] = []
    before = signal.setitimer(signal.ITIMER_REAL, 1000)
    with (cache / "one.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)

        def say(_line: str) -> None:
            left.append(signal.getitimer(signal.ITIMER_REAL)[0])
            fcntl.flock(other, fcntl.LOCK_UN)

        with Turn("one", "it").taken(say):
            left.append(signal.setitimer(signal.ITIMER_REAL, *before)[0])
    assert left[0] == 0
    assert 0 < left[1] <= 1000


# Two tests with an engine each, and one that lives as long as their file.
ENGINES = """
import pytest
from tests import turns
from tests.conftest import _in_turn

pytestmark = pytest.mark.own_engine

@pytest.fixture(scope="module")
def worker(request):
    with turns.engine.taken(turns.aloud(request.config)):
        yield

def test_one(worker): pass
def test_other(): pass
"""


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_a_wait_for_another_run_is_said_at_once(
    tmp_path: Path, cache: Path, processes: int
) -> None:
    (tmp_path / "test_engines.py").write_text(ENGINES)
    cache.mkdir()
    with (cache / "engine-of-a-test.lock").open("w") as lock:
        lock.write("the run 7 in /elsewhere")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "-n", str(processes),
             "-p", "no:cacheprovider", tmp_path / "test_engines.py"],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with run:
            assert run.stderr is not None
            said = next(line for line in run.stderr if line.strip())
            fcntl.flock(lock, fcntl.LOCK_UN)
            output, _ = run.communicate(timeout=PATIENCE)
    assert said == "waiting for the real engine of the run 7 in /elsewhere\n"
    assert "2 passed" in output
