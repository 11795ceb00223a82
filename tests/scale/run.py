"""One run: an endpoint, its workers, a burst of jobs, and a cut in the middle of it."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from tests import client
from tests.endpoint import Platform
from tests.processes import until
from tests.scale import jobs
from tests.scale.figures import Measured
from tests.scale.verdict import Cut, Verdict, judge
from tests.scale.wire import Client
from tests.scale.workers import Workers, cpu_s, memory_mb

_CALLERS = 8  # connections that submit
_LOOK = 0.5  # seconds
_PAGE = 500  # jobs that are asked about at a time


@dataclass(frozen=True)
class Size:
    """How large a run is."""

    clients: int = 997
    workers: int = 3
    concurrency: int = 30  # of each real worker
    jobs: int = 20_000
    seconds: float = 2.0  # that a job takes
    cut: int = 333  # workers whose connections are cut, the real ones first; 0: none
    away: float = 5.0  # seconds until they may connect again
    patience: float = 60.0  # seconds in which no job ends: what is left is lost

    @property
    def names(self) -> list[str]:
        """The workers."""
        real = [f"real-{number}" for number in range(self.workers)]
        return real + [f"light-{number}" for number in range(self.clients)]


@dataclass
class Outcome:
    """What came of a run."""

    verdict: Verdict
    measured: Measured
    found: list[dict[str, Any]] = field(repr=False)


def run(size: Size, folder: Path, beside: Callable[[Platform], object] = lambda _: None) -> Outcome:
    """Run it.

    Args:
        size: how large.
        folder: for the logs of the real workers.
        beside: is called when the workers are ready, before the first job of the run.
    """
    # A worker that is lost has its jobs given to others; here one that loses a job is to be seen.
    with (
        Platform("--worker-lost-seconds", "3600") as platform,
        Workers(
            platform.root,
            folder,
            light=size.clients,
            real=size.workers,
            concurrency=size.concurrency,
        ) as workers,
    ):
        workers.until_ready()
        until(lambda: _ready(platform) == len(size.names), what=f"{len(size.names)} workers")
        beside(platform)
        everybody = {"platform": [platform.process.pid], **workers.pids}
        everybody = {who: pids for who, pids in everybody.items() if pids}
        before = {who: sum(map(cpu_s, pids)) for who, pids in everybody.items()}
        load = asyncio.run(_Load(platform.root, size).run())
        cpu = {who: sum(map(cpu_s, pids)) - before[who] for who, pids in everybody.items()}
        memory = sum(map(memory_mb, chain(*everybody.values())))
        measured = Measured(load.waiting, cpu, memory, load.connections, load.cut)
        cut = Cut(min(size.cut, len(size.names)), load.cut, load.connections)
        return Outcome(judge(load.found, workers.end(), cut), measured, load.found)


def _ready(platform: Platform) -> int:
    return int(client.get(f"{platform.url}/health").json()["workers"]["ready"])


class _Load:
    """Submits the jobs, watches them, cuts.

    Attributes:
        waiting: as `Measured` has it; so are `connections` and `cut`.
        found: what the platform knows of each job, at the end.
    """

    def __init__(self, root: str, size: Size) -> None:
        self.waiting: list[tuple[int, int]] = []
        self.connections = 0
        self.cut: dict[str, float | None] = {}
        self.found: list[dict[str, Any]] = []
        self._root = root
        self._size = size
        self._client = Client(root)

    async def run(self) -> _Load:
        """All of it, until every job has ended or none does any more."""
        left = iter(range(self._size.jobs))
        async with asyncio.TaskGroup() as group:
            callers = [group.create_task(self._submit(left)) for _ in range(_CALLERS)]
            group.create_task(self._watch())
        ids = [name for _, name in sorted(pair for one in callers for pair in one.result())]
        for start in range(0, len(ids), _PAGE):
            self.found += await self._ask("POST", "/_emulator/jobs", ids[start : start + _PAGE])
        await self._until_back()
        self._client.close()
        return self

    async def _submit(self, left: Iterator[int]) -> list[tuple[int, str]]:
        """Submit of the jobs that are left one after the other; their numbers and ids."""
        http, ids = Client(self._root), []
        for number in left:
            body = json.dumps({"input": jobs.asked(number, self._size.seconds)}).encode()
            answer = await http.ask("POST", "/v2/local/run", body)
            ids.append((number, str(json.loads(answer.body)["id"])))
        http.close()
        return ids

    async def _watch(self) -> None:
        ended, since = -1, time.monotonic()
        before = await self._ended()
        while True:
            await asyncio.sleep(_LOOK)
            now = await self._ended() - before
            if now >= self._size.jobs:
                return
            if now > ended:
                ended, since = now, time.monotonic()
            elif time.monotonic() - since > self._size.patience:
                return
            if self._size.cut and not self.connections and ended >= self._size.jobs / 3:
                await self._cut()

    async def _ended(self) -> int:
        counts = (await self._ask("GET", "/v2/local/health"))["jobs"]
        self.waiting.append((counts["inQueue"], counts["inProgress"]))
        return int(counts["completed"]) + int(counts["failed"])

    async def _cut(self) -> None:
        real, light = self._size.names[: self._size.workers], self._size.names[self._size.workers :]
        some = random.sample(light, max(0, self._size.cut - len(real)))
        asked = {"workers": [*real, *some][: self._size.cut], "seconds": self._size.away}
        self.connections = (await self._ask("POST", "/_emulator/cut", asked))["connections"]

    async def _until_back(self) -> None:
        """Wait for those who were cut off, who may have no job left to come back for."""
        end = time.monotonic() + self._size.patience
        while True:
            self.cut = await self._ask("GET", "/_emulator/cut")
            if None not in self.cut.values() or time.monotonic() > end:
                return
            await asyncio.sleep(_LOOK)

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        text = b"" if body is None else json.dumps(body).encode()
        answer = await self._client.ask(method, path, text)
        assert answer.status == 200, answer
        return json.loads(answer.body)
