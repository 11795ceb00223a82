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
    """A job in hand. `deaths`: so many engines ended before it gave output; `begun`: it has."""

    job: str
    deaths: int = 0
    begun: bool = False


class Suspects:
    """The order in which jobs are sent. Used inside one event loop.

    Args:
        alone: is told which job is a suspect that is in the engine now; None: none is any more.
    """

    def __init__(self, alone: Callable[[str | None], None] = lambda _job: None) -> None:
        self._alone = alone
        self._ahead: dict[Trial, None] = {}  # in hand, and no suspects; in their order
        self._suspects: dict[Trial, asyncio.Future[None] | None] = {}  # each with its turn
        self._tried: Trial | None = None  # the suspect whose turn it is
        self._behind: dict[Trial, asyncio.Future[None]] = {}
        self._ended = -1  # the last life of the engine whose end was counted

    async def enter(self, trial: Trial) -> None:
        """Wait until a new job may be sent: at once where there are no suspects."""
        if self._suspects:
            self._behind[trial] = arrived = asyncio.get_running_loop().create_future()
            await arrived
        self._ahead[trial] = None

    def lost(self, trial: Trial, life: int) -> None:
        """That life of the engine ended, and the job had no output yet. Ask for its turn then.

        The end counts for every job in hand that an engine was lost with before: they come back one
        by one, and each that ends the engine would do so with few of the others in it.
        """
        if life > self._ended:
            self._ended = life
            for one in [one for one in self._ahead if not one.begun]:
                if one.deaths or one is trial:
                    self._count(one)
        elif not trial.deaths:
            self._count(trial)

    def _count(self, trial: Trial) -> None:
        trial.deaths += 1
        if trial.deaths >= _DEATHS:
            self._ahead.pop(trial, None)
            self._suspects[trial] = None

    async def turn(self, trial: Trial) -> None:
        """Wait until a job may be sent again: at once where it is no suspect."""
        if trial in self._suspects and self._tried is not trial:
            self._suspects[trial] = turn = asyncio.get_running_loop().create_future()
            self._go_on()
            await turn

    def may_go(self, trial: Trial) -> bool:
        """Whether the job may be sent now that the engine is there; else ask for its turn again."""
        if trial is self._tried:
            self._alone(trial.job)
        return trial is self._tried or trial not in self._suspects

    def is_tried(self, trial: Trial) -> bool:
        """Whether the job is the suspect whose turn it is."""
        return trial is self._tried

    def begun(self, trial: Trial) -> None:
        """The job gives output: it is no suspect any more."""
        trial.begun = True
        if trial in self._suspects:
            self.leave(trial)

    def leave(self, trial: Trial) -> None:
        """The job has ended, or needs no turn any more."""
        self._behind.pop(trial, None)
        self._ahead.pop(trial, None)
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
                    self._ahead[trial] = None  # now: it may not run before others come
                    arrived.set_result(None)
            self._behind.clear()
