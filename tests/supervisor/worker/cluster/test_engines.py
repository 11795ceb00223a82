"""What engines of several nodes are watched for; their whole lives are in tests/faults."""

from __future__ import annotations

import asyncio
import os

import httpx
import psutil
import pytest

from supervisor.command import plan
from supervisor.link.journal import Journal
from supervisor.worker.cluster import engines
from supervisor.worker.engine.phases import Start
from supervisor.worker.engine.spawn import spawn
from supervisor.worker.engine.suspect import WarmUp
from supervisor.worker.lifecycle import Ended, Event, Exited, NoAnswer, Ready, Warming
from supervisor.worker.logs import LogSink
from supervisor.worker.process.launcher import Launcher
from supervisor.worker.pulse import Pulse
from tests.client import PATIENCE
from tests.processes import FAKE
from tests.supervisor.worker.closing import closed


def engine(status: int, text: str = "") -> httpx.AsyncClient:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "m"}]})
        return httpx.Response(status, text=text)

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://engine")


async def test_a_headless_engine_is_ready_once_rank_0_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    env = {"PATH": os.environ["PATH"], "VLLM_COMMAND": FAKE, "MODEL_NAME": "tiny"}
    made = plan.make(env, None)
    launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
    monkeypatch.setattr(launcher.orphans, "end", _nothing_left)
    events: list[Event] = []
    spawned = spawn(made, env, launcher)
    run = engines.HeadlessRun(
        made,
        spawned,
        launcher,
        Journal(),
        Pulse(),
        events.append,
        first=True,
        warm_up=WarmUp(),
    )
    running = asyncio.create_task(run.run())
    await asyncio.sleep(0)
    assert run.doing == "importing"
    with caplog.at_level("INFO"):
        run.count_ready()
    assert events == [Ready(run.times.phases["engine_start"])]
    assert run.doing is None
    assert "start: in all" in caplog.text
    run.count_ready()
    assert run.pid is not None
    psutil.Process(run.pid).kill()
    async with asyncio.timeout(PATIENCE):
        await running
    run.count_ready()
    assert [type(each) for each in events] == [Ready, Ended, Exited]
    assert isinstance(events[-1], Exited)
    assert events[-1].doing is None
    await closed(launcher)


async def _nothing_left() -> bool:
    return True


async def test_one_token_is_enough() -> None:
    events: list[Event] = []
    made = plan.make({"MODEL_NAME": "m"}, None)
    async with engine(200, 'data: {"choices": []}\n\n') as asked, asyncio.timeout(PATIENCE):
        await engines.prove(asked, made, Start(), events.append)
    (told,) = events
    assert isinstance(told, Warming)
    assert told.seconds == pytest.approx(310.0)


@pytest.mark.parametrize(
    ("status", "why"), [(500, "its first request failed: the engine answered 500"), (0, "within")]
)
async def test_without_a_token_it_is_told_and_nothing_goes_on(status: int, why: str) -> None:
    events: list[Event] = []
    limits = {"WARMUP_TIMEOUT": "0.2", "ENGINE_STALL_TIMEOUT": "0.1"}
    made = plan.make({"MODEL_NAME": "m", **limits}, None)
    asked = engine(status) if status else _silent()
    proving = asyncio.create_task(engines.prove(asked, made, Start(), events.append))
    async with asyncio.timeout(PATIENCE):
        while len(events) < 2:
            await asyncio.sleep(0.01)
    told = events[-1]
    assert isinstance(told, NoAnswer)
    assert why in told.cause
    assert not proving.done()
    proving.cancel()
    await asked.aclose()


@pytest.mark.parametrize(
    ("gone", "env", "seconds"),
    [
        (100.0, {}, 300.0),
        (1100.0, {}, 100.0),
        (1190.0, {}, 60.0),
        (1300.0, {}, 60.0),
        (100.0, {"ENGINE_STALL_TIMEOUT": "0"}, 1100.0),
        (100.0, {"ENGINE_STALL_TIMEOUT": "20"}, 60.0),
        (100.0, {"WARMUP_TIMEOUT": "900"}, 900.0),
    ],
)
async def test_a_first_request_may_be_slow(
    gone: float, env: dict[str, str], seconds: float
) -> None:
    """As any token later; not past the start's own end, and never less than a warm-up has."""
    events: list[Event] = []
    made = plan.make({"MODEL_NAME": "m", **env}, None)
    now = iter([0.0])
    start = Start(clock=lambda: next(now, gone))
    async with engine(200, 'data: {"choices": []}\n\n') as asked, asyncio.timeout(PATIENCE):
        await engines.prove(asked, made, start, events.append)
    assert events == [Warming(seconds + 10.0)]


def _silent() -> httpx.AsyncClient:
    async def answer(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(PATIENCE)
        return httpx.Response(200)

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://engine")
