"""What surrounds the policy of jobs, as tests need it: a handler, results, reports, a platform."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from proxy.platform.results import Handler, Result, Results
from proxy.traces.trace import UNTRACED, Trace, Traces
from proxy.wire.posts import Posts
from supervisor.link.figures import Figures
from supervisor.link.journal import Journal, read_some
from supervisor.link.report import Report

Job = dict[str, Any]


def job(name: str) -> Job:
    return {"id": name, "input": {}}


class FakeHandler:
    """Begins each job and hangs until `go` is set; then it yields one output."""

    def __init__(self) -> None:
        self.figures = Figures()
        self.traces = Traces()
        self.begun: list[str] = []
        self.at_work = asyncio.Event()
        self.go = asyncio.Event()
        self.given_up: asyncio.Queue[str] = asyncio.Queue()
        self.closed = False
        self.thaws = 0

    async def __call__(
        self, job: Job, _sent: Sequence[bytes] | None = None
    ) -> AsyncGenerator[str, None]:
        self.begun.append(job["id"])
        self.at_work.set()
        await self.go.wait()
        yield "output"

    async def until_given_up(self) -> str:
        return await self.given_up.get()

    async def prepare(self) -> None:
        pass

    def thawed(self) -> None:
        self.thaws += 1

    async def close(self) -> None:
        self.closed = True


class FakeResults(Results):
    """Takes down how each job ended. To tell of it takes until `heard` is set.

    `faults` are what `run` and `finish` raise, once each.
    """

    def __init__(self) -> None:
        super().__init__(Posts(), "", "", {})
        self.answered: list[str] = []
        self.failed: dict[str, dict[str, Any]] = {}
        self.faults: dict[str, Exception] = {}
        self.telling = asyncio.Event()
        self.heard = asyncio.Event()
        self.heard.set()

    async def run(
        self,
        handler: Handler,
        job: Job,
        begun: Callable[[str], None] = lambda _job: None,
        trace: Trace = UNTRACED,
    ) -> Result:
        del trace
        async for _output in handler(job, []):
            begun(job["id"])
        if "run" in self.faults:
            raise self.faults.pop("run")
        return b'{"output": []}'

    async def finish(self, job: str, result: Result, trace: Trace = UNTRACED) -> None:
        del trace
        self.telling.set()
        await self.heard.wait()
        if "finish" in self.faults:
            raise self.faults.pop("finish")
        told = json.loads(result)
        if "error" in told:
            self.failed[job] = json.loads(told["error"])
        else:
            self.answered.append(job)


class Reported:
    """Both ends of a pipe for reports; `journal` has what was said."""

    def __init__(self) -> None:
        self._ours, its = os.pipe()
        os.set_blocking(self._ours, False)
        self.report = Report(its)
        self._journal = Journal()

    @property
    def journal(self) -> Journal:
        read_some(self._ours, self._journal)
        return self._journal

    def close(self) -> None:
        os.close(self._ours)
        self.report.close()
