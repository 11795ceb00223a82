"""The endpoint's queue: every change of a job's state happens here. No HTTP here."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.emulator.change import Change
from tests.emulator.jobs import Job, State


class Queue:
    """All jobs of the endpoint, and the stop signals that wait for workers."""

    def __init__(self, on_end: Callable[[Job], None] = lambda _: None) -> None:
        self.jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._stops: dict[str, list[str]] = {}
        self._change = Change()
        self._on_end = on_end

    def submit(self, job: Job) -> Job:
        """Put a job into the queue."""
        self.jobs[job.id] = job
        self._enqueue(job)
        return job

    @property
    def waiting(self) -> int:
        """How many jobs no worker is being given."""
        return len(self._waiting)

    async def take(self, most: int, seconds: float) -> list[Job]:
        """Up to `most` jobs from the queue's head, as soon as there is one; none in time is [].

        They count as queued until `taken` or `put_back` says how the delivery went.
        """
        end = time.monotonic() + seconds
        while not self._waiting:
            if not await self._change.wait(end - time.monotonic()):
                return []
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def taken(self, job: Job, worker: str) -> None:
        """The job was delivered. One that was cancelled on its way is stopped there."""
        if job.ended:
            self._stop(worker, job.id)
            return
        job.state, job.worker, job.taken_at = State.IN_PROGRESS, worker, time.monotonic()
        self._limit(job, "executionTimeout", job.policy.execution_timeout)
        job.change.tell()

    def put_back(self, job: Job) -> None:
        """Its delivery failed: back to the head of the queue."""
        if job.ended:
            return
        job.redelivered += 1
        self._return(job)

    def lose(self, worker: str) -> None:
        """The worker is gone: what it had in hand is run again."""
        held = [job for job in self.jobs.values() if job.worker == worker]
        for job in reversed(held):
            if job.state is State.IN_PROGRESS:
                job.retried += 1
                self._return(job)

    def finish(self, job: Job, state: State, output: Any = None, error: str | None = None) -> None:
        """The job's end; the first one counts."""
        if job.ended:
            return
        if job in self._waiting:
            self._waiting.remove(job)
        for timer in job.timers.values():
            timer.cancel()
        job.state, job.output, job.error = state, output, error
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
        job.state, job.worker, job.shown = State.IN_QUEUE, None, 0
        job.posts.clear()
        job.retried += 1
        job.queued_at = time.monotonic()
        self._enqueue(job)

    async def stops(self, worker: str, seconds: float) -> list[str]:
        """The jobs that `worker` has to stop, as soon as there is one; none in time is []."""
        end = time.monotonic() + seconds
        while not self._stops.get(worker):
            if not await self._change.wait(end - time.monotonic()):
                return []
        return self._stops.pop(worker)

    def put_back_stops(self, worker: str, jobs: list[str]) -> None:
        """Their delivery failed."""
        self._stops[worker] = jobs + self._stops.get(worker, [])
        self._change.tell()

    def _enqueue(self, job: Job) -> None:
        self._limit(job, "ttl", job.policy.ttl)
        self._waiting.append(job)
        self._change.tell()

    def _return(self, job: Job) -> None:
        if timer := job.timers.pop("executionTimeout", None):
            timer.cancel()
        job.state, job.worker, job.taken_at = State.IN_QUEUE, None, None
        self._waiting.appendleft(job)
        self._change.tell()
        job.change.tell()

    def _stop(self, worker: str, job: str) -> None:
        self._stops.setdefault(worker, []).append(job)
        self._change.tell()

    def _limit(self, job: Job, name: str, seconds: float) -> None:
        error = f"the job's {name} of {round(seconds * 1000)} ms is over"
        job.timers[name] = asyncio.get_running_loop().call_later(
            seconds, self.stop, job, State.TIMED_OUT, error
        )
