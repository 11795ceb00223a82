"""What the emulator keeps while it runs; all its faces share it."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.emulator.cut import Connections
from tests.emulator.faults import Faults
from tests.emulator.jobs import Job, State
from tests.emulator.queue import Queue
from tests.emulator.settings import Settings

_LOG_MOST = 10_000


@dataclass(slots=True)
class Call:
    """One request of a worker, for the log. It has no header, so no key either."""

    at: float  # time.monotonic() at its receipt
    time: float  # time.time()
    method: str
    kind: str  # job-take, job-done, ...
    worker: str
    job: str | None
    query: str
    status: int | None = None  # None: not answered, or cut


@dataclass(slots=True)
class Worker:
    """What is known of one worker."""

    last_seen: float  # time.monotonic() of its last request, of whatever kind
    polled: bool = False  # it has asked for jobs
    lost: bool = False
    pings: int = 0
    last_ping: float | None = None  # time.monotonic()
    parameters: dict[str, str] = field(default_factory=dict)  # of its last ping
    unhealthy: list[dict[str, str]] = field(default_factory=list)


class World:
    """The queue, the workers, the faults to come, the log."""

    def __init__(self, settings: Settings, queue: Queue) -> None:
        self.settings = settings
        self.queue = queue
        self.workers: dict[str, Worker] = {}
        self.faults = Faults()
        self.connections = Connections()
        self.log: deque[Call] = deque(maxlen=_LOG_MOST)

    def seen(self, name: str) -> Worker:
        """This worker sends a request now."""
        now = time.monotonic()
        worker = self.workers.get(name)
        if worker is None:
            worker = self.workers[name] = Worker(now)
        worker.last_seen, worker.lost = now, False
        return worker

    def lose_silent_workers(self) -> None:
        """Give the jobs of those who have said nothing for long to others."""
        limit = time.monotonic() - self.settings.worker_lost
        for name, worker in self.workers.items():
            if worker.last_seen < limit and not worker.lost:
                worker.lost = True
                self.queue.lose(name)

    def submit(self, job: Job) -> Job:
        """Put a job into the queue, outputs kept as the settings say."""
        job.keep_outputs = self.settings.keep_outputs
        return self.queue.submit(job)

    def health(self) -> dict[str, Any]:
        """The platform's counts of jobs and workers."""
        states, busy = self.queue.states, self.queue.busy
        present = {name: worker for name, worker in self.workers.items() if not worker.lost}
        sick = {name for name, worker in present.items() if _unhealthy(worker)}
        ready = {name for name, worker in present.items() if worker.polled} - sick
        return {
            "jobs": {
                "completed": states[State.COMPLETED],
                "failed": states[State.FAILED],
                "inProgress": states[State.IN_PROGRESS],
                "inQueue": states[State.IN_QUEUE],
                "retried": self.queue.rerun,
            },
            "workers": {
                "idle": len(ready - busy),
                "initializing": len(present) - len(ready) - len(sick),
                "ready": len(ready),
                "running": len(ready & busy),
                "throttled": 0,
                "unhealthy": len(sick),
            },
        }


def _unhealthy(worker: Worker) -> bool:
    return worker.parameters.get("status") == "unhealthy"


WORLD = web.AppKey("world", World)
