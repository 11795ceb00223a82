"""One run: engine, platform and one worker, and the worker's CPU time while jobs run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import IO

from bench import platform
from bench.load import Delivered, Load
from bench.processes import ProcessEndedError, Running, running

START_LIMIT_S = 90


@dataclass(frozen=True)
class Contender:
    """A worker to be measured."""

    name: str
    command: list[str]


@dataclass(frozen=True)
class Run:
    """The figures of one run."""

    contender: str
    round: int
    load: Load
    delivered: Delivered
    cpu_us_per_token: float  # of the worker, from the first job handed out to the last one done
    cpu_whole_us_per_token: float  # with the worker's start-up
    worker_mb: float  # the most resident memory of the worker's process
    worker_cores: float  # how busy each process was, 1.0 being one core
    engine_cores: float
    platform_cores: float

    @property
    def complaint(self) -> str:
        """Why this run does not count; empty if it does."""
        return self.delivered.complaint(self.load)


async def measure(contender: Contender, load: Load, number: int) -> Run:
    """Run the load once. Raises ProcessEndedError with the worker's last lines if it fails."""
    with tempfile.TemporaryFile() as log:
        try:
            return await _measure(contender, load, number, log)
        except ProcessEndedError as error:
            log.seek(0)
            tail = b"\n".join(log.read().splitlines()[-20:]).decode(errors="replace")
            raise ProcessEndedError(f"{contender.name}: {error}\n{tail}") from error


@contextlib.asynccontextmanager
async def surroundings(load: Load) -> AsyncIterator[tuple[Running, Running, dict[str, str]]]:
    """Engine and platform for one load, and the variables with which a worker finds them."""
    told = json.dumps(asdict(load))
    async with (
        running("engine", ["python", "-m", "bench.engine", str(load.rate)]) as engine,
        running("platform", ["python", "-m", "bench.platform", told]) as post,
    ):
        addresses = platform.addresses(int(await post.line(START_LIMIT_S)))
        engine_url = f"http://127.0.0.1:{await engine.line(START_LIMIT_S)}"
        yield engine, post, {**addresses, "ENGINE_URL": engine_url}


async def _measure(contender: Contender, load: Load, number: int, log: IO[bytes]) -> Run:
    async with surroundings(load) as (engine, post, addresses):
        environment = {**addresses, "MAX_CONCURRENCY": str(max(300, load.streams))}
        async with running("worker", contender.command, environment, log) as worker:
            await _line(post, worker, START_LIMIT_S)
            everyone = (worker, engine, post)
            before = [each.cpu_s() for each in everyone]
            result = json.loads(await _line(post, worker, load.limit_s + 30))
            after = [each.cpu_s() for each in everyone]
            memory = worker.most_memory_mb()
    delivered = Delivered(**result)
    used = [end - begin for begin, end in zip(before, after, strict=True)]
    cores = [each / max(delivered.seconds, 1e-9) for each in used]
    tokens = max(delivered.tokens, 1)
    per_token = (used[0] * 1e6 / tokens, after[0] * 1e6 / tokens)
    return Run(contender.name, number, load, delivered, *per_token, memory, *cores)


async def _line(said_by: Running, worker: Running, timeout_s: float) -> str:
    """The next line of one process, unless the worker ends before."""
    line = asyncio.create_task(said_by.line(timeout_s))
    ended = asyncio.create_task(worker.ended())
    try:
        await asyncio.wait((line, ended), return_when=asyncio.FIRST_COMPLETED)
        if not line.done():
            await ended
        return await line
    finally:
        line.cancel()
        ended.cancel()
