"""One real engine at a time.

Two are too much for two cores, and for the memory of some machines.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

import pytest

from tests.processes import ROOT
from tools import folder

Say = Callable[[str], None]

#: This run of the tests, in each of its processes.
_RUN = f"the run {os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())} in {ROOT}"


class Turn:
    """A lock that one process at a time has, and can take again while it has it.

    A test takes it, and so does each fixture whose engine outlives the test.
    """

    def __init__(self, name: str, what: str) -> None:
        """`name` is the lock's, `what` is had by whoever has the turn."""
        self._name, self._what = name, what
        self._times = 0
        self._held = ExitStack()

    @contextmanager
    def taken(self, say: Say) -> Iterator[None]:
        """Wait until no other process has it; it is given back where it was taken first.

        The wait does not count against the time of the test. `say` is told of it where another run
        of the tests, perhaps of another checkout, has the turn.
        """
        if self._times == 0:
            with _clock_stopped():
                self._held.callback(self._wait(say).close)
        self._times += 1
        try:
            yield
        finally:
            self._times -= 1
            if self._times == 0:
                self._held.close()

    def _wait(self, say: Say) -> IO[str]:
        """The open file that holds the lock: the kernel takes it back however its holder ends."""
        folder.cache().mkdir(parents=True, exist_ok=True)
        file = (folder.cache() / f"{self._name}.lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            if (holder := file.read()) != _RUN:
                say(f"waiting for {self._what} of {holder or 'another run'}")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(_RUN)
        file.flush()
        return file


#: Of whoever starts a real engine, in a container too.
engine = Turn("engine-of-a-test", "the real engine")


def aloud(config: pytest.Config) -> Say:
    """Says a line where people see it at once, past what keeps a test's output back."""
    capture = config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled() if capture else ExitStack():
            print(f"\n{line}", file=sys.stderr, flush=True)

    return say


@contextmanager
def _clock_stopped() -> Iterator[None]:
    """Stop the timer that pytest-timeout has set."""
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)
