"""Questions at an engine's health, over real HTTP."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest
from aiohttp import web

from supervisor.worker.engine import health
from supervisor.worker.engine.health import Health
from tests.client import PATIENCE
from tests.processes import ROOT, free_port


@dataclass
class Engine:
    """What it answers, and how often it was asked."""

    status: int = 200
    metrics: str = ""
    models: str = '{"data": [{"id": "tiny"}]}'
    asked: int = 0
    runner: web.AppRunner | None = None
    port: int = field(default_factory=free_port)

    async def start(self) -> None:
        async def health_(_request: web.Request) -> web.Response:
            self.asked += 1
            return web.Response(status=self.status)

        async def metrics(_request: web.Request) -> web.Response:
            return web.Response(text=self.metrics)

        async def models(_request: web.Request) -> web.Response:
            return web.Response(text=self.models, content_type="application/json")

        app = web.Application()
        app.add_routes(
            [
                web.get("/health", health_),
                web.get("/metrics", metrics),
                web.get("/v1/models", models),
            ]
        )
        self.runner = web.AppRunner(app, access_log=None)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()

    def client(self) -> httpx.AsyncClient:
        return health.client(f"http://127.0.0.1:{self.port}")


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    one = Engine()
    yield one
    if one.runner is not None:
        await one.runner.cleanup()


@pytest.mark.parametrize(
    ("status", "found"), [(200, Health.GOOD), (503, Health.SICK), (500, Health.SICK)]
)
async def test_the_status_is_the_answer(engine: Engine, status: int, found: Health) -> None:
    engine.status = status
    await engine.start()
    async with engine.client() as asking:
        assert await health.ask(asking) is found


async def test_nobody_there_is_bad_and_no_descriptor_is_unknown(engine: Engine) -> None:
    async with engine.client() as asking:
        assert await health.ask(asking) is Health.BAD

    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("x") from OSError(24, "Too many open files")

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse), base_url="http://x") as no:
        assert await health.ask(no) is Health.UNKNOWN


async def test_readiness_is_a_200_and_not_a_port(engine: Engine) -> None:
    engine.status = 500
    async with engine.client() as asking, asyncio.timeout(PATIENCE):
        ready = asyncio.create_task(health.until_ready(asking))
        await engine.start()
        while engine.asked < 2:
            await asyncio.sleep(0.01)
        assert not ready.done()
        engine.status = 200
        await ready


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_readiness_is_seen_at_an_address_and_at_a_name(engine: Engine, host: str) -> None:
    url = f"http://{host}:{engine.port}"
    async with health.client(url) as asking, asyncio.timeout(PATIENCE):
        ready = asyncio.create_task(health.until_ready(asking))
        await engine.start()
        await ready
    assert engine.asked == 1


#: Waits for an engine in a process of its own, and names what is imported once it is there.
AWAIT_ONE = """
import asyncio, socket, sys
from supervisor.worker.engine import health
looks = []
sys.addaudithook(lambda event, _: looks.append(event) if event == "socket.connect" else None)
with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    port = taken.getsockname()[1]
async def answer(reader, writer):
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    writer.close()
async def wait():
    async with health.client(f"http://127.0.0.1:{port}") as engine:
        ready = asyncio.create_task(health.until_ready(engine))
        while len(looks) < 3:
            await asyncio.sleep(0.001)
        await asyncio.start_server(answer, "127.0.0.1", port)
        known = set(sys.modules)
        await ready
        print(*set(sys.modules) - known)
asyncio.run(wait())
"""


def test_nothing_is_imported_when_the_engine_is_there() -> None:
    """What a question needs is imported by one that is asked of nobody, so that no job waits."""
    command = [sys.executable, "-c", AWAIT_ONE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout.strip() == "", done.stderr
    assert done.returncode == 0


async def test_an_alarm_is_followed_by_probes_at_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PROBE_EVERY", 600.0)
    await engine.start()
    reports: asyncio.Queue[Health] = asyncio.Queue()
    alarm = asyncio.Event()
    async with engine.client() as asking, asyncio.timeout(PATIENCE):
        watching = asyncio.create_task(health.watch(asking, reports.put, alarm))
        await asyncio.sleep(0)
        assert reports.empty()
        alarm.set()
        assert [await reports.get() for _ in range(2)] == [Health.GOOD] * 2
        watching.cancel()


async def test_a_probe_that_failed_in_a_freeze_is_made_again(engine: Engine) -> None:
    """The engine stood still as well; only what it says afterwards counts."""
    engine.status = 500
    await engine.start()
    reports: asyncio.Queue[Health] = asyncio.Queue()
    alarm = asyncio.Event()
    looks = iter([0.0, 30.0])

    def frozen() -> float:
        return next(looks, 30.0)

    async with engine.client() as asking, asyncio.timeout(PATIENCE):
        alarm.set()
        watching = asyncio.create_task(health.watch(asking, reports.put, alarm, frozen))
        assert await reports.get() is Health.SICK
        assert engine.asked == 2
        watching.cancel()


@pytest.mark.parametrize("models", ["{}", "[", '{"data": []}'])
async def test_a_model_without_a_name_is_none(engine: Engine, models: str) -> None:
    await engine.start()
    async with engine.client() as asking:
        assert await health.served_model(asking) == "tiny"
        engine.models = models
        assert await health.served_model(asking) is None


async def test_idle_is_what_the_metrics_say(engine: Engine) -> None:
    """Metrics that say nothing are no idle engine; one that is gone is."""
    running = 'vllm:num_requests_running{engine="0"} 1.0\n'
    engine.metrics = running
    await engine.start()
    async with engine.client() as asking, asyncio.timeout(PATIENCE):
        idle = asyncio.create_task(health.until_idle(asking))
        for text in (running, "nothing"):
            engine.metrics = text
            await asyncio.sleep(0.1)
            assert not idle.done()
        engine.metrics = running.replace("1.0", "0.0")
        await idle
        if engine.runner is not None:
            await engine.runner.cleanup()
            engine.runner = None
        await health.until_idle(asking)


async def test_want_of_descriptors_is_no_sign_that_nobody_listens() -> None:
    """A drain would end too soon, with requests in the engine."""
    asked = 0

    def answer(_request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise httpx.ConnectError("no") from OSError(errno.EMFILE, "Too many open files")
        return httpx.Response(200, text="vllm:num_requests_running 0.0\n")

    engine = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://engine")
    async with engine, asyncio.timeout(PATIENCE):
        await health.until_idle(engine)
    assert asked == 3
