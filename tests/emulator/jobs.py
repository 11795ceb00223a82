"""Jobs, their queue and their states. No HTTP here."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

EXECUTION_TIMEOUT = 600.0  # seconds: the platform's default


class State(StrEnum):
    """The platform's words."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(slots=True)
class Post:
    """One batch as it arrived. `at` is `time.monotonic()`, the middle of the round trip."""

    at: float
    size: int
    output: Any = None


@dataclass(slots=True, eq=False)
class Job:
    """One job with everything that happened to it. Times are `time.monotonic()`."""

    input: Any
    timeout: float = EXECUTION_TIMEOUT
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: State = State.IN_QUEUE
    worker: str | None = None
    output: Any = None
    error: str | None = None
    posts: list[Post] = field(default_factory=list)
    shown: int = 0  # posts that `stream` has handed out
    done: int = 0  # how often the worker reported the end
    redelivered: int = 0
    queued_at: float = field(default_factory=time.monotonic)
    taken_at: float | None = None
    ended_at: float | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state not in {State.IN_QUEUE, State.IN_PROGRESS}

    def touch(self) -> None:
        """Wake everybody who waits for a change."""
        self.changed.set()
        self.changed = asyncio.Event()

    async def wait(self, timeout: float) -> None:
        """Until something changes, `timeout` seconds at most."""
        try:
            async with asyncio.timeout(timeout):
                await self.changed.wait()
        except TimeoutError:
            return


class Queue:
    """All jobs of the endpoint, and the stop signals that wait for workers."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._stops: dict[str, list[str]] = {}
        self._changed = asyncio.Event()

    def submit(self, job: Job) -> Job:
        """Put a job into the queue."""
        self.jobs[job.id] = job
        self._waiting.append(job)
        self._wake()
        return job

    @property
    def waiting(self) -> int:
        """How many jobs no worker has taken."""
        return len(self._waiting)

    async def take(self, most: int, timeout: float) -> list[Job]:
        """Up to `most` jobs from the queue's head, as soon as there is one; none in time is []."""
        end = time.monotonic() + timeout
        while not self._waiting:
            if not await self._wait(end):
                return []
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def taken(self, job: Job, worker: str) -> None:
        """The job is in the worker's hands."""
        if job.ended:
            return
        job.state, job.worker, job.taken_at = State.IN_PROGRESS, worker, time.monotonic()
        asyncio.get_running_loop().call_later(job.timeout, self._time_out, job)
        job.touch()

    def put_back(self, job: Job) -> None:
        """It was not delivered: to the head of the queue, nothing is lost."""
        if job.ended:
            return
        job.state, job.worker = State.IN_QUEUE, None
        job.redelivered += 1
        self._waiting.appendleft(job)
        self._wake()

    def finish(self, job: Job, state: State, output: Any = None, error: str | None = None) -> None:
        """The job's end; the first one counts."""
        if job.ended:
            return
        if job in self._waiting:
            self._waiting.remove(job)
        job.state, job.output, job.error = state, output, error
        job.ended_at = time.monotonic()
        job.touch()

    def stop(self, job: Job, state: State) -> None:
        """End a job from the platform's side; its worker is told."""
        if job.ended:
            return
        worker = job.worker
        self.finish(job, state)
        if worker is not None:
            self._stops.setdefault(worker, []).append(job.id)
            self._wake()

    def purge(self) -> int:
        """Cancel everything that no worker has taken."""
        purged = list(self._waiting)
        for job in purged:
            self.finish(job, State.CANCELLED)
        return len(purged)

    def retry(self, job: Job) -> None:
        """Run an ended job again, under its id."""
        job.state, job.output, job.error, job.worker = State.IN_QUEUE, None, None, None
        job.posts.clear()
        job.shown, job.ended_at = 0, None
        self._waiting.append(job)
        self._wake()

    async def stops(self, worker: str, timeout: float) -> list[str]:
        """The jobs that `worker` has to stop, as soon as there is one."""
        end = time.monotonic() + timeout
        while not self._stops.get(worker):
            if not await self._wait(end):
                return []
        return self._stops.pop(worker)

    def lose(self, worker: str) -> None:
        """The worker is gone: its jobs go back."""
        for job in self.jobs.values():
            if job.worker == worker and job.state is State.IN_PROGRESS:
                self.put_back(job)

    def _time_out(self, job: Job) -> None:
        self.stop(job, State.TIMED_OUT)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait(self, end: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, end - time.monotonic())):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True
