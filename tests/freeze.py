"""Stands a process and its children still, as a platform does that freezes a machine."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

import psutil

SOON = 20.0  # seconds: far more than a thaw needs, far less than a poll or a post may wait


@contextlib.contextmanager
def frozen(pid: int, seconds: float) -> Iterator[None]:
    """The process and all that stand below it are stopped for the block, and at least so long.

    It goes on before its children do: it sees them before they can do anything.
    """
    own = psutil.Process(pid)
    every = [own, *own.children(recursive=True)]
    _signal(every, signal.SIGSTOP)
    began = time.monotonic()
    try:
        yield
        time.sleep(max(0.0, seconds - (time.monotonic() - began)))  # what is tried is this time
    finally:
        _signal(every, signal.SIGCONT)


def _signal(every: list[psutil.Process], number: signal.Signals) -> None:
    for process in every:
        with contextlib.suppress(psutil.NoSuchProcess):  # it was a short one
            process.send_signal(number)


@contextlib.contextmanager
def soon() -> Iterator[None]:
    """The block takes less than SOON."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON
