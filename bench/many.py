"""Many short jobs: whether the worker's memory and descriptors stay as they are."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import dataclass

from bench.around.processes import Running, running
from bench.around.tally import Delivered
from bench.contenders import Contender
from bench.load import Load
from bench.measure import START_LIMIT_S, surroundings

_TOKENS = 5
_RATE = 200.0  # tokens/s of one stream
_A_SECOND = 250  # jobs
_WARM = 0.1  # of the run: until then caches fill
_SETTLE = 2.0  # seconds after the last job, in which connections go back to their pool


@dataclass(frozen=True, slots=True)
class Many:
    """Memory in MB and open descriptors, after the first tenth of the jobs and after the last."""

    jobs: int
    done: int
    failed: int
    mb: tuple[float, float]
    descriptors: tuple[int, int]

    def line(self) -> str:
        """For people."""
        return (
            f"{self.done} of {self.jobs} jobs, {self.failed} failed; memory {self.mb[0]:.1f} MB,"
            f" then {self.mb[1]:.1f} MB; descriptors {self.descriptors[0]}, then"
            f" {self.descriptors[1]}"
        )


async def measure(contender: Contender, jobs: int) -> Many:
    """Let a worker run so many jobs. Raises ProcessEndedError."""
    command = contender.command
    load = Load(jobs, _TOKENS, _RATE, spread_s=jobs / _A_SECOND)
    async with surroundings(load) as (_engine, post, addresses):
        environment = {**addresses, "RUNPOD_LOG_LEVEL": "ERROR"}
        with tempfile.TemporaryFile() as log:
            async with running("worker", command, environment, log, contender.folder) as worker:
                await post.line(START_LIMIT_S)
                waiting = asyncio.create_task(_after(worker, load.spread_s * _WARM))
                result = Delivered(**json.loads(await post.line(load.limit_s + 120)))
                first, last = await waiting, await _after(worker, _SETTLE)
    return Many(
        jobs, result.jobs_done, result.jobs_failed, (first[0], last[0]), (first[1], last[1])
    )


async def _after(worker: Running, seconds: float) -> tuple[float, int]:
    await asyncio.sleep(seconds)
    return worker.memory_mb(), worker.descriptors()
