"""One run: engine, platform and one worker, and the worker's CPU time while jobs run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import psutil

from bench.around import certificate, platform
from bench.around.processes import ProcessEndedError, Running, running
from bench.around.tally import Delivered
from bench.contenders import Contender
from bench.load import Load

START_LIMIT_S = 90
_LEAST_CONCURRENCY = 300  # jobs: what a worker has by default
#: The same for every contender; what one of them sets by itself stays.
_QUIET = {
    "RUNPOD_LOG_LEVEL": "WARN",
    "RUNPOD_SKIP_GPU_CHECK": "true",
    "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
}


@dataclass(frozen=True)
class Run:
    """The figures of one run."""

    contender: str
    round: int
    load: Load
    delivered: Delivered
    cpu_us_per_token: float  # of all the worker's processes, from just before the first job
    worker_mb: float  # the most resident memory of the worker's process
    worker_cores: float  # how busy each was, 1.0 being one core
    engine_cores: float
    platform_cores: float
    other_cores: float  # what ran on the machine beside them

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
    """Engine and platform for one load, and the variables that a worker runs with."""
    told = [json.dumps(asdict(load))]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        trust: dict[str, str] = {}
        if load.tls:
            served, trusted = certificate.make(Path(folder))
            told.append(str(served))
            trust = certificate.trusting(trusted)
        around = ["python", "-m"]
        async with (
            running("engine", [*around, "bench.around.engine", str(load.rate)]) as engine,
            running("platform", [*around, "bench.around.platform", *told]) as post,
        ):
            port = int(await post.line(START_LIMIT_S))
            addresses = platform.addresses(port, "https" if load.tls else "http")
            engine_url = f"http://127.0.0.1:{await engine.line(START_LIMIT_S)}"
            at_once = max(_LEAST_CONCURRENCY, load.at_once or load.jobs)
            settings = {"ENGINE_URL": engine_url, "MAX_CONCURRENCY": str(at_once)}
            yield engine, post, {**_QUIET, **trust, **addresses, **settings}


async def _measure(contender: Contender, load: Load, number: int, log: IO[bytes]) -> Run:
    async with surroundings(load) as (engine, post, environment):
        command = contender.command
        async with running("worker", command, environment, log, contender.folder) as worker:
            await _line(post, worker, START_LIMIT_S)
            everyone = (worker, engine, post)
            before = [*(each.cpu_s() for each in everyone), _machine_s(), time.monotonic()]
            result = json.loads(await _line(post, worker, load.limit_s + 30))
            after = [*(each.cpu_s() for each in everyone), _machine_s(), time.monotonic()]
            memory = worker.most_memory_mb()
    delivered = Delivered(**result)
    *used, machine, took = (end - begin for begin, end in zip(before, after, strict=True))
    # Before the first job and after the last nothing of ours is busy; the others may be.
    cores = [each / max(delivered.seconds, 1e-9) for each in used]
    cores.append((machine - sum(used)) / took)
    per_token = used[0] * 1e6 / max(delivered.tokens, 1)
    return Run(contender.name, number, load, delivered, per_token, memory, *cores)


def _machine_s() -> float:
    """CPU seconds of everything on this machine but this process, which only waits."""
    times = psutil.cpu_times()
    own = sum(os.times()[:2])
    return float(times.user + times.nice + times.system + times.irq + times.softirq) - own


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
