"""`python -m tests.scale.light ROOT FIRST COUNT`: workers that only speak the protocol.

Each asks for a job and for stops by long polls, pings, posts outputs and results, as a worker of
the SDK's does. It answers one job at a time, after the time that the job asks for. `light-FIRST` is
the first of COUNT. SIGTERM ends them; they print how often they ran each job, as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sys
import time
from collections import Counter
from typing import Any

import uvloop

from tests.emulator.environment import API_KEY
from tests.scale import jobs
from tests.scale.wire import Answer, Client

_PING = 10.0  # seconds; the platform's default
_NOTHING = 204
_PAUSE_FIRST, _PAUSE_MOST = 0.2, 10.0  # seconds after a poll that failed, as a real worker pauses
_STOPS_PAUSE = 1.0  # after a poll for stops that brought none
_GIVEN_UP = 300.0  # seconds of trying to hand over an output


class Light:
    """One worker.

    Args:
        root: the platform's URL.
        name: the worker's.
        runs: counts how often each job was run, by its number.
    """

    def __init__(self, root: str, name: str, runs: Counter[int]) -> None:
        self._client = Client(root, API_KEY)
        self._name = name
        self._runs = runs
        self._job: str | None = None
        self._failed: Counter[str] = Counter()  # polls in a row, by kind

    async def work(self) -> None:
        """Take jobs until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_jobs())
            group.create_task(self._hear_stops())
            group.create_task(self._ping())

    async def _take_jobs(self) -> None:
        while True:
            answer = await self._polled(
                "job-take", f"&job_in_progress={int(self._job is not None)}"
            )
            if answer is not None:
                job = json.loads(answer.body)
                self._job = job["id"]
                await self._run(job["id"], job["input"]["openai_input"])
                self._job = None

    async def _run(self, job: str, body: dict[str, Any]) -> None:
        outputs = jobs.pieces(body)
        seconds = body["fake"]["tokens"] / body["fake"]["rate"]
        for output in outputs:
            await asyncio.sleep(seconds / len(outputs))
            await self._post("job-stream", job, {"output": output}, "false")
        self._runs[int(body["user"])] += 1
        await self._post("job-done", job, {"output": outputs}, "true")

    async def _hear_stops(self) -> None:
        """No job of a run is stopped; the poll is what a worker costs the platform all the same."""
        while True:
            if await self._polled("job-stop", "") is None:
                await asyncio.sleep(_STOPS_PAUSE)

    async def _ping(self) -> None:
        await asyncio.sleep(random.uniform(0, _PING))  # noqa: S311
        while True:
            job = f"&job_id={self._job}" if self._job else ""
            with contextlib.suppress(OSError):
                await self._client.ask("GET", self._path("ping", f"{job}&runpod_version=light"))
            await asyncio.sleep(_PING)

    async def _polled(self, kind: str, more: str) -> Answer | None:
        """What one poll brings; none, after a pause, where it fails."""
        try:
            answer = await self._client.ask("GET", self._path(kind, more))
        except OSError:
            answer = Answer(0, b"")
        if answer.status in (200, _NOTHING):
            self._failed[kind] = 0
            return answer if answer.status != _NOTHING else None
        await asyncio.sleep(_pause(self._failed[kind]))
        self._failed[kind] += 1
        return None

    async def _post(self, kind: str, job: str, body: Any, stream: str) -> None:
        """Hand over an output, however often that takes."""
        path = self._path(kind, f"&isStream={stream}", f"/{job}")
        text, end, failed = json.dumps(body).encode(), time.monotonic() + _GIVEN_UP, 0
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if (await self._client.ask("POST", path, text)).status < 400:
                    return
            await asyncio.sleep(_pause(failed))
            failed += 1

    def _path(self, kind: str, more: str, job: str = "") -> str:
        return f"/v2/local/{kind}/{self._name}{job}?gpu=none{more}"


def _pause(failed: int) -> float:
    longest = min(_PAUSE_MOST, _PAUSE_FIRST * 2.0 ** min(failed, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311


async def _serve(root: str, first: int, count: int) -> Counter[int]:
    runs: Counter[int] = Counter()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    workers = [Light(root, f"light-{first + number}", runs) for number in range(count)]
    at_work = asyncio.gather(*(worker.work() for worker in workers))
    at_work.add_done_callback(lambda _: stop.set())  # one of them is at fault
    await stop.wait()
    at_work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await at_work
    return runs


def main() -> int:
    """The command line."""
    root, first, count = sys.argv[1:]
    print(json.dumps(uvloop.run(_serve(root, int(first), int(count)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
