"""A download in a process of its own: ended where it does not get on, and cleared up after."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import leavings
from .leavings import Cached
from .progress import line

AGAIN = 75  # the exit code where another try may help
STALLED_AFTER = 60.0  # seconds
_LOOK_EVERY = 1.0  # seconds
#: What arrives in that time at least while a download goes on. The hub's client may keep more than
#: that in memory before it writes.
_LEAST = 2_000_000  # bytes
#: For so long that counts without a file that changes, and then no more: it may be anything else
#: that the machine receives. A download of which nothing is written is ended after 5 minutes.
_UNWRITTEN_MOST = 240.0  # seconds
_STOP_LOOKS, _STOP_LOOK_EVERY = 100, 0.01  # seconds
_FROZEN_AFTER = 10.0  # seconds without a look: then this process has stood still as well


class Pulse:
    """Whether a download gets on, by the files that it writes and by what this machine receives.

    Args:
        places: what is written.
        clock: seconds.
        received: bytes that this machine has received so far.
    """

    def __init__(
        self,
        places: Sequence[Cached],
        clock: Callable[[], float] = time.monotonic,
        received: Callable[[], int] | None = None,
    ) -> None:
        self._places = places
        self._clock = clock
        self._received = received or received_bytes
        self._seen = leavings.marks(places)
        self._bytes = self._received()
        self._since = self._looked = self._written = clock()

    def stalled_for(self) -> float:
        """Seconds since it last got on; to be asked often."""
        seen, received = leavings.marks(self._places), self._received()
        now = self._clock()
        if (pause := now - self._looked) > _FROZEN_AFTER:
            self._since += pause
            self._written += pause
        self._looked = now
        if seen != self._seen:
            self._written = now
        arrives = received - self._bytes >= _LEAST and now - self._written < _UNWRITTEN_MOST
        if seen != self._seen or arrives:
            self._seen, self._bytes, self._since = seen, received, now
        return now - self._since


def run(work: Callable[[], int], places: Sequence[Cached]) -> int:
    """Let a child do `work`; end it if it does not get on for a minute, or if this one is told to.

    Args:
        work: returns the exit code, and has said why where that is not 0.
        places: what it writes.

    Returns:
        The child's code; `AGAIN` where it did not get on, 1 where it was ended or killed.
    """
    waited = {signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    sys.stdout.flush()
    child = os.fork()
    if not child:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, waited)
        _become(work)
    pulse = Pulse(places)
    held: frozenset[Path] = frozenset()
    while (status := _ended(child)) is None:
        held |= leavings.being_written(child)
        told = signal.sigtimedwait(waited, _LOOK_EVERY)
        stopped = told is not None and told.si_signo == signal.SIGTERM
        if stopped or pulse.stalled_for() >= STALLED_AFTER:
            if _stands_still(child):
                held |= leavings.being_written(child)  # nothing is begun behind this look
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            removed = leavings.clear(held)
            if not stopped:
                removed += sum(map(leavings.clear_locks, places))
                _say(f"it made no progress for {STALLED_AFTER:.0f} s and was ended", removed)
            return 1 if stopped else AGAIN
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    _say(f"it was killed by signal {os.WTERMSIG(status)}", leavings.clear(held))
    return 1


def _say(what: str, removed: int) -> None:
    left = f", {removed} half-written file(s) removed" if removed else ""
    line(f"download ahead: {what}{left}. The engine goes on by itself")


def _become(work: Callable[[], int]) -> None:
    """The child: never returns."""
    code = 1
    try:
        code = work()
    except Exception as fault:  # noqa: BLE001 - one sentence: the engine does without it
        _say(f"it ended with {type(fault).__name__}: {fault}", 0)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)  # what the hub's client has left running is not waited for


def _stands_still(child: int) -> bool:
    """Let it stand still, for what does so within a second; False where it has ended before."""
    os.kill(child, signal.SIGSTOP)
    for _ in range(_STOP_LOOKS):
        pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if pid:
            return os.WIFSTOPPED(status)
        time.sleep(_STOP_LOOK_EVERY)
    return True  # it waits for a disk


def _ended(child: int) -> int | None:
    pid, status = os.waitpid(child, os.WNOHANG)
    return status if pid else None


def received_bytes(table: Path = Path("/proc/net/dev")) -> int:
    """What this machine has received over all of its interfaces but the loopback."""
    total = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        for row in table.read_text(encoding="ascii").splitlines()[2:]:
            name, _, figures = row.partition(":")
            total += 0 if name.strip() == "lo" else int(figures.split()[0])
    return total
