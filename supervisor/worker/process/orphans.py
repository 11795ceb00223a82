"""What our children leave behind: adopted as PID 1 would do it, reaped, and ended with the engine.

A process that has left its group (a daemon of Ray) would outlive the engine otherwise.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from ... import hanging

_PR_SET_CHILD_SUBREAPER = 36  # <sys/prctl.h>
_REAP_EVERY = 5.0  # seconds
_END_WITHIN = 10.0  # seconds, after the engine's group has had its own
_POLL = 0.05  # seconds


class Orphans:
    """Every child of this process that is not `ours`: those have somebody who waits for them."""

    def __init__(self) -> None:
        self._ours: set[int] = set()
        self._births = 0  # spawns under way, whose number nobody knows yet

    @contextlib.contextmanager
    def birth(self) -> Iterator[None]:
        """While a child of ours is being spawned, nobody is an orphan."""
        self._births += 1
        try:
            yield
        finally:
            self._births -= 1

    def claim(self, pid: int) -> None:
        """This child is ours."""
        self._ours.add(pid)

    def release(self, pid: int) -> None:
        """It has ended and is reaped: its number may be somebody else's from now on."""
        self._ours.discard(pid)

    def reap(self, *, kill: bool) -> int:
        """Reap orphans that have ended and, with `kill`, end the others.

        Returns:
            How many are left; 0 while a child of ours is being born.
        """
        left = 0
        if self._births:
            return left
        for pid in children(os.getpid()):
            if pid in self._ours or pid in hanging.left_behind():
                continue
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if kill:
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                left += os.waitpid(pid, os.WNOHANG)[0] == 0
        return left

    async def end(self) -> bool:
        """End all of them; whether none is left after 10 s."""
        import asyncio

        # Looks are counted, not seconds: in a process that stands still nothing can end.
        for _ in range(round(_END_WITHIN / _POLL)):
            if not self._births and not self.reap(kill=True):
                return True
            await asyncio.sleep(_POLL)
        return False

    async def reap_for_ever(self) -> None:
        """Reap those that have ended, every few seconds."""
        import asyncio

        while True:
            await asyncio.sleep(_REAP_EVERY)
            self.reap(kill=False)


def adopt() -> None:
    """Become the parent of what our descendants leave behind, as PID 1 is."""
    import ctypes  # costs 2 ms, which are to be spent after the engine's spawn

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(parent: int) -> list[int]:
    """The children of a process; none without a file descriptor to read them with."""
    pids: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{parent}/task").iterdir():
            pids += [int(pid) for pid in (task / "children").read_text().split()]
    return pids


def descendants(parent: int) -> list[int]:
    """The children of a process, and theirs."""
    pids = children(parent)
    return pids + [pid for child in pids for pid in descendants(child)]
