"""Which jobs are taken from the platform, when they begin, and when no more are taken.

First come the jobs that the previous proxy left. Then the platform is asked again and again, with a
pause only where it does not answer well, for as many jobs as there are places. Each begins at once.
To drain is to end a poll that the platform holds, to let one arrive that is being answered, and to
be over when every job in hand has ended.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Protocol

from proxy.errors import InvalidInput, WorkerStopped
from proxy.platform.race import unless
from proxy.platform.runner import Runner
from proxy.poll import polled
from proxy.poll.fetch import TooManyPolls
from proxy.poll.polled import Job, Unreadable
from proxy.poll.polls import Polls
from supervisor.errors import OutOfResources
from supervisor.link.figures import EMPTY, JOBS, UNANSWERED, Figures
from supervisor.link.report import Inherited, Report
from supervisor.machine.threads import in_thread

log = logging.getLogger("proxy")

_PAUSE_FIRST, _PAUSE_MOST = 0.2, 10.0  # seconds after a poll that failed
_TOO_MANY_PAUSE = 5.0  # seconds, as the SDK pauses
_TOO_SOON = 0.05  # seconds: the platform holds a poll that brings nothing for longer
_ANSWER_COMES = 1.0  # seconds: where jobs wait, a poll is answered by then


class InHand(Protocol):
    """Who is told which jobs are in hand, for the platform's pings; a set of their ids."""

    def add(self, name: str, /) -> object:
        """A job is taken."""

    def remove(self, name: str, /) -> object:
        """It has ended."""


class Intake:
    """Takes jobs until it is told to stop. Used inside one event loop.

    Args:
        polls: for jobs.
        runner: runs them; is told what to end.
        report: is told of each job that is taken.
        in_hand: is told as well.
        at_once: how many may run at the same time.
        inherited: jobs of the previous proxy.
        clock: gives seconds and never goes back.
        sleep: waits for so many seconds.
        figures: count what polls bring.
    """

    def __init__(
        self,
        polls: Polls[bytes],
        runner: Runner,
        report: Report,
        in_hand: InHand,
        at_once: int,
        inherited: Iterable[Inherited] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Coroutine[Any, Any, object]] = asyncio.sleep,
        figures: Figures | None = None,
    ) -> None:
        self._polls = polls
        self._runner = runner
        self._report = report
        self._in_hand = in_hand
        self._at_once = at_once
        self._waiting: deque[Job] = deque()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._names: set[str] = set()  # of those that run or wait
        self._inherited = list(inherited)
        self._clock = clock
        self._sleep = sleep
        self._figures = figures or Figures()
        self._draining = asyncio.Event()
        self._failed_polls = 0

    async def run(self) -> None:
        """Take jobs until told to drain, and wait for those in hand, however they end."""
        for one in self._inherited:
            self._take(self._taken_over(one))
        self._inherited.clear()
        while not self._draining.is_set():
            free = self._at_once - len(self._running)
            if free > 0:
                await self._take_all(await self._polled(free))
            else:
                await unless(self._draining.wait(), self._until_one_ends())
        for found in await self._polls.end():
            await self._take_all(found)
        while self._running:
            await self._until_one_ends()

    @property
    def busy(self) -> bool:
        """Whether any job is in hand."""
        return bool(self._running)

    # --- jobs ---

    async def _take_all(self, text: bytes | None) -> None:
        """Take the jobs in an answer; what is long to read is read in turn with other work."""
        for one in () if text is None else polled.read(text):
            if one is None:
                await asyncio.sleep(0)
            elif (job := self._known(one)) is not None:
                self._report.taken(job)
                self._take(job)

    def _known(self, one: Job | Unreadable) -> Job | None:
        """The job to run; None where there is none to run or to refuse."""
        if isinstance(one, Unreadable):
            return self._to_be_refused(one)
        return None if self._is_in_hand(one["id"]) else one

    def _to_be_refused(self, one: Unreadable) -> Job | None:
        if one.id is None:
            log.error("a job that cannot be read, its id included, is dropped: %s", one.why)
            return None
        if self._is_in_hand(one.id):
            return None
        self._runner.lose(one.id, InvalidInput(f"the job cannot be read: {one.why}", "input"))
        return {"id": one.id, "input": {}}

    def _is_in_hand(self, name: str) -> bool:
        if name in self._names:
            log.warning("job %s came once more while it is in hand", name, extra={"job": name})
        return name in self._names

    def _take(self, job: Job) -> None:
        self._waiting.append(job)
        self._names.add(job["id"])
        self._in_hand.add(job["id"])
        self._begin()

    def _begin(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            job = self._waiting.popleft()
            task = asyncio.create_task(self._runner.run(job))
            self._running[job["id"]] = task
            task.add_done_callback(partial(self._ended, job["id"]))

    def _ended(self, name: str, _task: asyncio.Task[None]) -> None:
        self._running.pop(name, None)
        self._names.discard(name)
        self._in_hand.remove(name)
        self._begin()

    async def _until_one_ends(self) -> None:
        await asyncio.wait(self._running.values(), return_when=asyncio.FIRST_COMPLETED)

    def _taken_over(self, one: Inherited) -> Job:
        if one.job is not None:
            of_job = {"job": one.id}
            log.info(
                "job %s: retrying: the previous proxy died before answering", one.id, extra=of_job
            )
            return one.job
        ended = "the worker's proxy ended in the middle of this answer; send the job again"
        self._runner.lose(one.id, WorkerStopped(ended))
        return {"id": one.id, "input": {}}

    # --- polls ---

    async def _polled(self, wanted: int) -> bytes | None:
        """What one poll brings; none where it fails, after a pause, and when the worker drains."""
        began = self._clock()
        try:
            text = await unless(self._may_end(), self._polls.answer(wanted))
        except TooManyPolls:
            self._figures.polls[UNANSWERED] += 1
            await unless(self._draining.wait(), self._sleep(_TOO_MANY_PAUSE))
            return None
        except Exception as reason:  # noqa: BLE001 - whatever it is, the worker has to go on
            self._figures.polls[UNANSWERED] += 1
            log.warning("the platform did not answer a poll (%s)", str(reason) or repr(reason))
            await self._pause()
            return None
        self._figures.polls[EMPTY if text is None else JOBS] += 1
        if text is None and self._clock() - began < _TOO_SOON:
            await self._pause()
        else:
            self._failed_polls = 0
        return text

    async def _may_end(self) -> None:
        """Return when the worker drains, and no answer to the youngest poll is on its way.

        Nobody gets back a job that arrives when its poll has just been ended. Where jobs wait, that
        would be likely; where the platform holds the poll, it is not.
        """
        await self._draining.wait()
        await self._sleep(self._polls.since + _ANSWER_COMES - self._clock())

    async def _pause(self) -> None:
        """Wait, longer each time, before the platform is asked again."""
        longest = min(_PAUSE_MOST, _PAUSE_FIRST * 2.0 ** min(self._failed_polls, 10))
        self._failed_polls += 1
        pause = self._sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311
        await unless(self._draining.wait(), pause)

    # --- how it ends ---

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
        try:
            await in_thread(partial(tell, why), daemon=False)
        except OutOfResources as reason:
            log.warning("the platform does not hear that this worker is unhealthy: %s", reason)
