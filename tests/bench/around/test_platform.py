"""The SDK's protocol, as a worker meets it: over a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from bench.around.platform import Platform, Worker, addresses
from bench.around.tally import Delivered
from bench.load import Load
from tests.client import PATIENCE


class Told:
    """What the platform reports, line by line."""

    def __init__(self) -> None:
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self.say = self._lines.put_nowait

    async def line(self) -> str:
        return await asyncio.wait_for(self._lines.get(), PATIENCE)


class Caller:
    """The worker's side of the protocol."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def get(self, path: str) -> Any:
        async with self._session.get(f"{self._base}/{path}") as answer:
            assert answer.status == 200
            return await answer.json()

    async def take(self, most: int) -> list[dict[str, Any]]:
        taken = await self.get(f"job-take-batch/w?gpu=none&batch_size={most}&job_in_progress=0")
        assert isinstance(taken, list)
        return taken

    async def post(self, operation: str, job: str, body: object) -> None:
        url = f"{self._base}/{operation}/w/{job}?gpu=none&isStream=true"
        async with self._session.post(url, data=json.dumps(body)) as answer:
            assert answer.status == 200


@asynccontextmanager
async def platform(load: Load) -> AsyncIterator[tuple[Caller, Told]]:
    told = Told()

    class Here(Worker):
        platform = Platform(load, told.say)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Here, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    base = addresses(port)["RUNPOD_WEBHOOK_PING"].partition("/ping/")[0]
    try:
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
            yield Caller(session, base), told
    finally:
        server.close()


def load(jobs: int, **more: Any) -> Load:
    return Load(jobs, **{"tokens": 2, "spread_s": 0.0, "round_trip_ms": 2, **more})


TOKENS = " ~0:1~ ~1:2~"


async def test_a_burst_comes_in_one_answer_of_as_many_as_were_asked_for() -> None:
    async with platform(load(300)) as (worker, told):
        first = await worker.take(250)
        assert await told.line() == "begun"
        second = await worker.take(300)
        assert [len(first), len(second)] == [250, 50]
        assert len({each["id"] for each in first + second}) == 300
        asked = first[0]["input"]["openai_input"]
        assert (asked["stream"], asked["max_tokens"]) == (True, 2)


async def test_a_single_job_comes_as_an_object() -> None:
    async with platform(load(1)) as (worker, _):
        job = await worker.get("job-take/w?gpu=none&job_in_progress=0")
        assert job["id"] == "job-0"


async def test_the_figures_come_when_every_job_is_over() -> None:
    async with platform(load(2)) as (worker, told):
        for job in await worker.take(2):
            await worker.post("job-stream", job["id"], {"output": TOKENS})
            await worker.post("job-done", job["id"], {"output": [TOKENS]})
        assert await told.line() == "begun"
        seen = Delivered(**json.loads(await told.line()))
        assert seen.complaint(load(2)) == ""
        assert (seen.jobs_done, seen.tokens, seen.posts) == (2, 4, 4)


async def test_an_error_is_that_jobs() -> None:
    async with platform(load(1)) as (worker, told):
        await worker.take(1)
        await worker.post("job-done", "job-0", {"error": "it broke"})
        await told.line()
        assert Delivered(**json.loads(await told.line())).complaint(load(1)) == "it broke"


async def test_jobs_do_not_go_to_a_poll_that_nobody_reads() -> None:
    async with platform(load(1)) as (worker, _):
        lost = asyncio.create_task(worker.take(5))
        await asyncio.sleep(0.1)  # it is asked before the job is there, and given up
        lost.cancel()
        assert len(await worker.take(1)) == 1


async def test_stops_are_told_on_their_own_channel() -> None:
    half = load(2, half_cancelled=True)
    async with platform(half) as (worker, told):
        stops = asyncio.create_task(worker.get("job-stop/w?gpu=none"))
        await worker.take(2)
        await worker.post("job-stream", "job-1", {"output": " ~0:1~"})
        assert await stops == {"jobsToStop": ["job-1"]}
        await worker.post("job-stream", "job-0", {"output": TOKENS})
        await worker.post("job-done", "job-0", {"output": [TOKENS]})
        await told.line()
        seen = Delivered(**json.loads(await told.line()))
        assert (seen.jobs_done, seen.jobs_stopped, seen.complaint(half)) == (1, 1, "")


async def test_one_more_job_for_each_that_is_done() -> None:
    async with platform(load(5, at_once=2)) as (worker, _):
        assert [job["id"] for job in await worker.take(300)] == ["job-0", "job-1"]
        more = asyncio.create_task(worker.take(300))
        await worker.post("job-done", "job-1", {"output": [TOKENS]})
        assert [job["id"] for job in await more] == ["job-2"]


async def test_steady_jobs_come_one_by_one() -> None:
    async with platform(load(3, spread_s=0.1)) as (worker, _):
        taken = [job["id"] for _ in range(3) for job in [await worker.get("job-take/w?gpu=none")]]
        assert taken == ["job-0", "job-1", "job-2"]


@pytest.mark.parametrize("path", ["ping/w?gpu=none&job_id=1"])
async def test_pings_are_answered(path: str) -> None:
    async with platform(load(1)) as (worker, _):
        assert await worker.get(path) == {}
