"""The endpoint's queue: every change of a job's state happens here. No HTTP here."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Any

from tests.emulator.change import Change, Line
from tests.emulator.jobs import Job, State


class Queue:
    """All jobs of the endpoint, and the stop signals that wait for workers.

    Nothing here looks through all jobs or wakes all workers: with 20,000 of the ones and a thousand
    of the others that would be most of what an endpoint does.

    Attributes:
        jobs: all of them, by id.
        states: how many have each state.
        rerun: how often jobs went back into the queue.
    """

    def __init__(self, on_end: Callable[[Job], None] = lambda _: None) -> None:
        self.jobs: dict[str, Job] = {}
        self.states: Counter[State] = Counter()
        self.rerun = 0
        self._waiting: OrderedDict[Job, None] = OrderedDict()
        self._held: dict[str, dict[Job, None]] = {}  # by worker
        self._stops: dict[str, list[str]] = {}
        self._line = Line()
        self._new_stops: dict[str, Change] = {}  # by worker
        self._on_end = on_end

    def submit(self, job: Job) -> Job:
        """Put a job into the queue."""
        job.number = len(self.jobs)
        self.jobs[job.id] = job
        self.states[job.state] += 1
        self._enqueue(job)
        return job

    @property
    def busy(self) -> set[str]:
        """The workers that have a job in hand."""
        return set(self._held)

    @property
    def waiting(self) -> int:
        """How many jobs no worker is being given."""
        return len(self._waiting)

    async def take(self, most: int, seconds: float) -> list[Job]:
        """Up to `most` jobs from the queue's head, as soon as there is one; none in time is [].

        They count as queued until `taken` or `put_back` says how the delivery went.
        """
        end = time.monotonic() + seconds
        woken = False
        try:
            while not self._waiting:
                woken = await self._line.wait(end - time.monotonic(), first=woken)
                if not woken:
                    return []
            found = list(islice(self._waiting, most))
            for job in found:
                del self._waiting[job]
            return found
        finally:
            self._wake()

    def taken(self, job: Job, worker: str) -> None:
        """The job was delivered. One that was cancelled on its way is stopped there."""
        if job.ended:
            self._stop(worker, job.id)
            return
        self._become(job, State.IN_PROGRESS)
        job.worker, job.taken_at = worker, time.monotonic()
        self._held.setdefault(worker, {})[job] = None
        self._limit(job, "executionTimeout", job.policy.execution_timeout)
        job.change.tell()

    def put_back(self, job: Job) -> None:
        """Its delivery failed: back to the head of the queue."""
        if job.ended:
            return
        job.redelivered += 1
        self.rerun += 1
        self._return(job)

    def lose(self, worker: str) -> None:
        """The worker is gone: what it had in hand is run again."""
        held = sorted(self._held.get(worker, ()), key=lambda job: job.number)
        for job in reversed(held):
            job.retried += 1
            self.rerun += 1
            self._return(job)

    def finish(self, job: Job, state: State, output: Any = None, error: str | None = None) -> None:
        """The job's end; the first one counts."""
        if job.ended:
            return
        self._waiting.pop(job, None)
        self._let_go(job)
        for timer in job.timers.values():
            timer.cancel()
        self._become(job, state)
        job.output, job.error = output, error
        job.ended_at = time.monotonic()
        job.change.tell()
        self._on_end(job)

    def stop(self, job: Job, state: State, error: str | None = None) -> None:
        """End a job from the platform's side; its worker is told."""
        if job.ended:
            return
        running = job.state is State.IN_PROGRESS
        self.finish(job, state, error=error)
        if running and job.worker is not None:
            self._stop(job.worker, job.id)

    def purge(self) -> int:
        """Cancel everything that no worker has taken; how many these were."""
        purged = list(self._waiting)
        for job in purged:
            self.finish(job, State.CANCELLED)
        return len(purged)

    def retry(self, job: Job) -> None:
        """Run an ended job again, under its id."""
        job.output, job.error, job.taken_at, job.ended_at = None, None, None, None
        self._become(job, State.IN_QUEUE)
        job.worker, job.shown = None, 0
        job.posts.clear()
        job.retried += 1
        self.rerun += 1
        job.queued_at = time.monotonic()
        self._enqueue(job)

    async def stops(self, worker: str, seconds: float) -> list[str]:
        """The jobs that `worker` has to stop, as soon as there is one; none in time is []."""
        end = time.monotonic() + seconds
        news = self._new_stops.setdefault(worker, Change())
        while not self._stops.get(worker):
            if not await news.wait(end - time.monotonic()):
                return []
        return self._stops.pop(worker)

    def put_back_stops(self, worker: str, jobs: list[str]) -> None:
        """Their delivery failed."""
        self._stops[worker] = jobs + self._stops.get(worker, [])
        self._tell_stops(worker)

    def _enqueue(self, job: Job) -> None:
        self._limit(job, "ttl", job.policy.ttl)
        self._waiting[job] = None
        self._wake()

    def _return(self, job: Job) -> None:
        if timer := job.timers.pop("executionTimeout", None):
            timer.cancel()
        self._let_go(job)
        self._become(job, State.IN_QUEUE)
        job.worker, job.taken_at = None, None
        self._waiting[job] = None
        self._waiting.move_to_end(job, last=False)
        self._wake()
        job.change.tell()

    def _wake(self) -> None:
        """Wake the poll whose turn it is, where there is a job for it."""
        if self._waiting:
            self._line.wake()

    def _become(self, job: Job, state: State) -> None:
        self.states[job.state] -= 1
        self.states[state] += 1
        job.state = state

    def _let_go(self, job: Job) -> None:
        """No worker has it in hand any more."""
        held = self._held.get(job.worker or "", {})
        held.pop(job, None)
        if not held:
            self._held.pop(job.worker or "", None)

    def _stop(self, worker: str, job: str) -> None:
        self._stops.setdefault(worker, []).append(job)
        self._tell_stops(worker)

    def _tell_stops(self, worker: str) -> None:
        if worker in self._new_stops:
            self._new_stops[worker].tell()

    def _limit(self, job: Job, name: str, seconds: float) -> None:
        error = f"the job's {name} of {round(seconds * 1000)} ms is over"
        job.timers[name] = asyncio.get_running_loop().call_later(
            seconds, self.stop, job, State.TIMED_OUT, error
        )
