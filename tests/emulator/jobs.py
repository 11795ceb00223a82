"""One job: its states, its outputs, and what happened to it. No HTTP here."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.emulator.change import Change


class State(StrEnum):
    """The platform's words."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(frozen=True, slots=True)
class Policy:
    """A job's limits in seconds; the defaults are the platform's."""

    execution_timeout: float = 600.0  # from the worker's taking it
    ttl: float = 86_400.0  # from its submission


@dataclass(slots=True)
class Post:
    """One streamed output as it arrived, in the middle of the round trip.

    The body is read only where somebody asks for it: a measurement makes 100,000s of these.
    """

    at: float  # time.monotonic()
    time: float  # time.time()
    size: int  # bytes of the body
    body: bytes | None = None  # None: not kept, or handed out already

    @property
    def output(self) -> Any:
        """What the handler yielded."""
        return None if self.body is None else contents(self.body).get("output")


@dataclass(slots=True, eq=False)
class Job:
    """One job with everything that happened to it. Times are `time.monotonic()`."""

    input: Any
    policy: Policy = Policy()
    webhook: str | None = None
    keep_outputs: bool = True  # False: only for somebody who streams this job
    streamed: bool = False  # somebody does
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    number: int = 0  # in the order of their submission
    raw: bytes | None = None  # what a worker gets instead of JSON of ours
    state: State = State.IN_QUEUE
    worker: str | None = None
    output: Any = None
    error: str | None = None
    posts: list[Post] = field(default_factory=list)
    shown: int = 0  # posts that `stream` has handed out
    done: int = 0  # how often a worker reported the end
    redelivered: int = 0  # put back because its poll was closed
    retried: int = 0  # run again: asked for, or its worker was lost
    refused: list[dict[str, Any]] = field(default_factory=list)  # posts over the size limit
    queued_at: float = field(default_factory=time.monotonic)
    taken_at: float | None = None
    ended_at: float | None = None
    change: Change = field(default_factory=Change)
    timers: dict[str, asyncio.TimerHandle] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state is not State.IN_QUEUE and self.state is not State.IN_PROGRESS

    def receive(self, body: bytes) -> None:
        """An output that the worker streamed. What comes after the end is dropped."""
        if self.ended:
            return
        kept = body if self.keep_outputs or self.streamed else None
        self.posts.append(Post(time.monotonic(), time.time(), len(body), kept))
        self.change.tell()

    def outputs(self, start: int) -> list[Any]:
        """The outputs from post number `start` on, for somebody who streams this job."""
        self.streamed = True
        fresh = self.posts[start:]
        found = [post.output for post in fresh if post.body is not None]
        if not self.keep_outputs:
            for post in fresh:
                post.body = None
        return found

    def for_workers(self) -> bytes:
        """What a worker that takes it gets."""
        if self.raw is not None:
            return self.raw
        return json.dumps({"id": self.id, "input": self.input}).encode()

    def shown_to_users(self) -> dict[str, Any]:
        """The answer of `status` and `runsync`; times in milliseconds."""
        found: dict[str, Any] = {"id": self.id, "status": str(self.state)}
        if self.taken_at is not None:
            found["delayTime"] = round((self.taken_at - self.queued_at) * 1000)
            found["workerId"] = self.worker
            if self.ended_at is not None:
                found["executionTime"] = round((self.ended_at - self.taken_at) * 1000)
        if self.state is State.COMPLETED:
            found["output"] = self.output
        if self.error is not None:
            found["error"] = self.error
        return found

    def known(self) -> dict[str, Any]:
        """Everything, for tests."""
        posts = [
            {"at": post.at, "time": post.time, "bytes": post.size, "output": post.output}
            for post in self.posts
        ]
        return {
            **self.shown_to_users(),
            "input": self.input,
            "queuedAt": self.queued_at,
            "takenAt": self.taken_at,
            "endedAt": self.ended_at,
            "posts": posts,
            "done": self.done,
            "redelivered": self.redelivered,
            "retried": self.retried,
            "refused": self.refused,
        }


def contents(body: bytes) -> dict[str, Any]:
    """A worker's body; `{"output": text}` where it is no JSON object."""
    try:
        found = json.loads(body)
    except ValueError:
        found = body.decode(errors="replace")
    return found if isinstance(found, dict) else {"output": found}
