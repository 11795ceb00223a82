"""Which jobs are taken from the platform, and when no more are. Knows no SDK.

First come the jobs that the previous proxy left. Then the platform is asked again and again, with a
pause only where it does not answer well. To drain is to end a poll that the platform holds, to let
one arrive that is being answered, and to be over when every job in hand has ended.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

import aiohttp

from proxy.errors import WorkerStopped
from proxy.platform.race import unless
from proxy.platform.runner import Runner
from supervisor.link.report import Inherited, Report

log = logging.getLogger("proxy")

Job = dict[str, Any]

_PAUSE_FIRST, _PAUSE_MOST = 0.2, 10.0  # seconds after a poll that failed
_TOO_SOON = 0.05  # seconds: the platform holds a poll that brings nothing for longer
_ANSWER_COMES = 1.0  # seconds: where jobs wait, a poll is answered by then
_LOOK = 0.02  # seconds between two looks at whether jobs are in hand


@dataclass(frozen=True, slots=True)
class Platform:
    """What the platform's client does for us.

    `fetch_jobs` asks for that many jobs; it returns none, or raises, where there are none.
    `fetch_stops` asks which jobs are to stop. `in_hand` is how many were taken and have not ended.
    """

    fetch_jobs: Callable[[aiohttp.ClientSession, int], Coroutine[Any, Any, list[Job] | None]]
    fetch_stops: Callable[[aiohttp.ClientSession], Coroutine[Any, Any, list[str] | None]]
    in_hand: Callable[[], int]


class Intake:
    """Takes jobs until it is told to stop. Used inside one event loop.

    Args:
        platform: where jobs come from.
        runner: runs them; is told what to end.
        report: is told of each job that is taken.
        inherited: jobs of the previous proxy.
        clock: gives seconds and never goes back.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        platform: Platform,
        runner: Runner,
        report: Report,
        inherited: Iterable[Inherited] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Coroutine[Any, Any, object]] = asyncio.sleep,
    ) -> None:
        self._platform = platform
        self._runner = runner
        self._report = report
        self._inherited = list(inherited)
        self._clock = clock
        self._sleep = sleep
        self._draining = asyncio.Event()
        self._over = asyncio.Event()
        self._failed_polls = 0

    # --- what is taken ---

    async def jobs(self, session: aiohttp.ClientSession, wanted: int) -> list[Job] | None:
        """Take at most `wanted` jobs; none at the end of a poll, or when the worker drains.

        While it drains this returns when no job is in hand any more, and the intake is over.

        Raises:
            Exception: what the poll raises, after a pause.
        """
        if self._inherited:
            taken, self._inherited = self._inherited[:wanted], self._inherited[wanted:]
            return [self._take_over(one) for one in taken]
        if self._draining.is_set():
            while self._platform.in_hand() > 0:
                await self._sleep(_LOOK)
            self._over.set()
            return None
        jobs = await self._poll(session, wanted)
        for job in jobs or ():
            self._report.taken(job)
        return jobs

    async def stops(self, session: aiohttp.ClientSession) -> list[str]:
        """The ids of jobs to stop. To the last, jobs in hand can be; the poll ends with them."""
        return await unless(self._over.wait(), self._platform.fetch_stops(session)) or []

    def _take_over(self, one: Inherited) -> Job:
        if one.job is not None:
            log.info("job %s: retrying: the previous proxy died before answering", one.id)
            return one.job
        self._runner.lose(
            one.id,
            WorkerStopped(
                "the worker's proxy ended in the middle of this answer; send the job again"
            ),
        )
        return {"id": one.id, "input": {}}

    async def _poll(self, session: aiohttp.ClientSession, wanted: int) -> list[Job] | None:
        began = self._clock()
        try:
            jobs = await unless(self._may_end(began), self._platform.fetch_jobs(session, wanted))
        except TimeoutError:  # so the client ends a poll for which there was no job
            raise
        except Exception:
            await self._pause()
            raise
        if not jobs and self._clock() - began < _TOO_SOON:
            await self._pause()
        else:
            self._failed_polls = 0
        return jobs

    async def _may_end(self, began: float) -> None:
        """Return when the worker drains, and no answer to a poll that began then is on its way.

        Nobody gets back a job that arrives when its poll has just been ended. Where jobs wait, that
        would be likely; where the platform holds the poll, it is not.
        """
        await self._draining.wait()
        await self._sleep(began + _ANSWER_COMES - self._clock())

    async def _pause(self) -> None:
        """Wait, longer each time, before the platform is asked again."""
        longest = min(_PAUSE_MOST, _PAUSE_FIRST * 2.0 ** min(self._failed_polls, 10))
        self._failed_polls += 1
        pause = self._sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311
        await unless(self._draining.wait(), pause)

    # --- how it ends ---

    @property
    def over(self) -> bool:
        """Whether nothing is taken any more and every job has ended."""
        return self._over.is_set()

    async def until_over(self) -> None:
        """Wait until nothing is taken any more and every job has ended."""
        await self._over.wait()

    def stop(self) -> None:
        """Drain; the second time, abort."""
        if self._draining.is_set():
            self.abort()
        else:
            self.drain()

    def drain(self) -> None:
        """Take no more jobs; those in hand are answered."""
        self._draining.set()

    def abort(self) -> None:
        """Take no more jobs; those in hand end with an error."""
        self.drain()
        self._runner.abort()

    async def drain_when(
        self, given_up: Callable[[], Awaitable[str]], tell: Callable[[str], None]
    ) -> None:
        """Drain when the engine is given up; each job then ends with the cause.

        Args:
            given_up: waits until it is; returns why.
            tell: tells the platform; may block.
        """
        why = await given_up()
        log.error("%s", why)
        self.drain()
        await asyncio.to_thread(tell, why)
