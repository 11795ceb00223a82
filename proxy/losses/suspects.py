"""Which jobs may be sent to the engine: all, or, after two ends of it, suspects one at a time.

A job that ends the engine would be sent again beside its neighbours, end it again, and take them
all with it. So jobs that were in two engines that ended, without output, are suspects. What else is
in hand is answered first. Then one suspect after the other is sent, the next one when the one
before has given output or has ended; and one that the engine ends with is found. Jobs that come
meanwhile wait behind the suspects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

_DEATHS = 2  # of engines, to make a job a suspect


@dataclass(slots=True, eq=False)
class Trial:
    """A job on its way to its first output; `deaths` is how many engines ended with it in hand."""

    job: str
    deaths: int = 0


class Suspects:
    """The order in which jobs are sent. Used inside one event loop.

    Args:
        alone: is told which job is a suspect that is in the engine now; None: none is any more.
    """

    def __init__(self, alone: Callable[[str | None], None] = lambda _job: None) -> None:
        self._alone = alone
        self._ahead: set[Trial] = set()  # in hand, and no suspects
        self._suspects: dict[Trial, asyncio.Future[None] | None] = {}  # each with its turn
        self._tried: Trial | None = None  # the suspect whose turn it is
        self._behind: dict[Trial, asyncio.Future[None]] = {}

    async def enter(self, trial: Trial) -> None:
        """Wait until a new job may be sent: at once where there are no suspects."""
        if self._suspects:
            self._behind[trial] = arrived = asyncio.get_running_loop().create_future()
            await arrived
        self._ahead.add(trial)

    def lost(self, trial: Trial) -> None:
        """An engine ended that had the job in hand. Ask for its turn before it is sent again."""
        trial.deaths += 1
        if trial.deaths >= _DEATHS and trial in self._ahead:
            self._ahead.discard(trial)
            self._suspects[trial] = None

    async def turn(self, trial: Trial) -> None:
        """Wait until a job may be sent again: at once where it is no suspect."""
        if trial in self._suspects and self._tried is not trial:
            self._suspects[trial] = turn = asyncio.get_running_loop().create_future()
            self._go_on()
            await turn

    def sent(self, trial: Trial) -> None:
        """The engine is there, and the job is sent to it now."""
        if trial is self._tried:
            self._alone(trial.job)

    def is_tried(self, trial: Trial) -> bool:
        """Whether the job is the suspect whose turn it is."""
        return trial is self._tried

    def begun(self, trial: Trial) -> None:
        """The job gives output: it is no suspect any more."""
        if trial is self._tried:
            self.leave(trial)

    def leave(self, trial: Trial) -> None:
        """The job has ended, or needs no turn any more."""
        self._behind.pop(trial, None)
        self._ahead.discard(trial)
        self._suspects.pop(trial, None)
        tried = trial is self._tried
        if tried:
            self._tried = None
        self._go_on()
        if tried and self._tried is None:
            self._alone(None)

    def _go_on(self) -> None:
        """Let in whoever is next."""
        if self._suspects:
            if self._ahead or self._tried is not None:
                return
            first, turn = next(iter(self._suspects.items()))
            if turn is not None and not turn.done():
                self._tried = first
                turn.set_result(None)
        elif self._behind:
            for trial, arrived in self._behind.items():
                if not arrived.done():
                    self._ahead.add(trial)  # now: it may not run before others come
                    arrived.set_result(None)
            self._behind.clear()
