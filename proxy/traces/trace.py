"""What the engine is told of a job, and what is noted of the job's way; here by nobody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from proxy.traces import context
from proxy.traces.context import Context

#: vLLM makes the id of a request from it: chatcmpl-JOB-1.
REQUEST_ID = "X-Request-Id"
_UNSENT = re.compile(r"[^A-Za-z0-9._:-]")  # in an id, which stands in the engine's log
_LONGEST = 128  # characters of an id


class Trace:
    """One job's.

    Args:
        job: its id.
        caller: the trace that its input names.
        before: how often others have sent it.
    """

    def __init__(self, job: str, caller: Context | None, before: int = 0) -> None:
        self._job = _UNSENT.sub("_", job[:_LONGEST])
        self._caller = caller
        self._before = before

    def headers(self, number: int) -> dict[str, str]:
        """Those of a request to the engine, `number` counting how often the job was sent."""
        return {REQUEST_ID: f"{self._job}-{self._before + number}", **self._context()}

    def _context(self) -> dict[str, str]:
        return {} if self._caller is None else self._caller.headers

    def sending(self, number: int) -> None:
        """The job is about to be sent, for the so manieth time."""

    def unsent(self) -> None:
        """It was not: no engine was there to take it."""

    def again(self, why: str) -> None:
        """It will be sent once more."""

    def first(self) -> None:
        """The first of its answer has come."""

    def posted(self, body: int) -> None:
        """The platform has taken an output of so many bytes."""

    def refused(self, why: str) -> None:
        """It has not, and is asked again."""

    def lost(self, why: str) -> None:
        """It will not take that output."""

    def done(self, route: str, asked: Mapping[str, Any], tokens: int | None) -> None:
        """What was asked of the engine, and how many tokens it made."""

    def failed(self, status: int, kind: str) -> None:
        """The job fails."""

    def cancelled(self) -> None:
        """Nobody waits for it any more."""

    def end(self) -> None:
        """The platform knows how it ended."""


#: Nothing is noted, and nothing of a job is known.
UNTRACED = Trace("", None)


class Traces:
    """Those of the jobs in hand. Used inside one event loop.

    Args:
        inherited: ids of jobs that the previous proxy may have sent. Of a request that an engine
            still has it may refuse another with the same id.
    """

    def __init__(self, inherited: Iterable[str] = ()) -> None:
        self._inherited = frozenset(inherited)
        self._open: dict[str, Trace] = {}

    def begin(self, job: Mapping[str, Any]) -> Trace:
        """The trace of a job that is taken up; `end` it."""
        name = str(job.get("id"))
        caller, before = context.read(job.get("input")), int(name in self._inherited)
        trace = self._open[name] = self._made(name, caller, before)
        return trace

    def of(self, job: Mapping[str, Any]) -> Trace:
        """That of a job in hand; one of which nothing is noted where nobody took the job up."""
        name = str(job.get("id"))
        return self._open.get(name) or Trace(name, context.read(job.get("input")))

    def end(self, job: str) -> None:
        """The job has ended, and the platform knows how."""
        if (trace := self._open.pop(job, None)) is not None:
            trace.end()

    async def close(self) -> None:
        """No job is in hand any more: what is noted goes out, in a bounded time."""

    def _made(self, job: str, caller: Context | None, before: int) -> Trace:
        return Trace(job, caller, before)
