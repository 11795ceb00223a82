"""When the engine counts as lost, how long it is waited for, and what is said then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer as TestServer

from proxy import clients, settings
from proxy.engine.health import Health
from proxy.engine.lives import Sent
from proxy.engine.supervision import Supervision
from proxy.errors import (
    EngineRefused,
    EngineRestarted,
    EngineSilent,
    EngineUnavailable,
    ErrorInStream,
    InvalidInput,
    JobError,
    StreamBroken,
)
from tests.client import PATIENCE


class Machine:
    """An engine and its supervisor in one server. `sick` is how many probes still fail."""

    def __init__(self) -> None:
        self.sick = 0
        self.sick_with = 503
        self.status: dict[str, Any] = {"state": "READY", "restarts": 0, "engine_pid": 7}
        self.asked: list[str] = []

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path == "/health":
            self.sick -= 1
            return web.Response(status=200 if self.sick < 0 else self.sick_with)
        return web.json_response(self.status)


Parts = tuple[Machine, Health]


@asynccontextmanager
async def health(
    clock: Callable[[], float] = time.monotonic, **environment: str
) -> AsyncIterator[Parts]:
    machine = Machine()
    async with TestServer(machine.handle) as server, asyncio.timeout(PATIENCE):
        url = f"http://127.0.0.1:{server.port}"
        found = settings.read({"ENGINE_URL": url, "CONTROL_URL": url, **environment})
        client, supervision = clients.client(found, {}), Supervision(found.control_url)
        yield machine, Health(found, client, supervision, clock)
        client.close()
        await supervision.close()


@pytest.mark.parametrize(
    ("fault", "healthy", "lost"),
    [
        (StreamBroken("cut"), True, True),
        (StreamBroken("cut"), False, True),
        (EngineRefused(500, b""), True, False),
        (EngineRefused(500, b""), False, True),
        (EngineRefused(400, b""), True, False),
        (EngineRefused(400, b""), False, True),  # as the engine dies up to vLLM 0.13
        (ErrorInStream(400, b"", ()), True, False),
        (ErrorInStream(400, b"", ()), False, True),
        (EngineSilent("nothing"), True, False),
        (EngineSilent("nothing"), False, True),
        (EngineUnavailable("away"), False, False),  # it was waited for already
        (InvalidInput("no"), False, False),
    ],
)
async def test_which_faults_mean_that_the_engine_is_lost(
    fault: JobError, healthy: bool, lost: bool
) -> None:
    async with health() as (machine, one):
        machine.sick = 0 if healthy else 100
        assert await one.is_lost(fault, one.sent()) is lost


@pytest.mark.parametrize("status", [500, 503])
async def test_whatever_is_no_200_is_not_well(status: int) -> None:
    """VLLM 0.10.2 says 500 of a dead core."""
    async with health() as (machine, one):
        machine.sick, machine.sick_with = 1, status
        assert not await one.is_well()
        assert await one.is_well()


async def test_an_engine_that_the_supervisor_restarts_is_lost_although_it_still_answers() -> None:
    async with health() as (machine, one):
        machine.status = {"state": "RESTARTING", "restarts": 0}
        assert await one.is_lost(EngineRefused(400, b""), one.sent())


async def test_many_refused_jobs_cost_few_questions() -> None:
    async with health() as (machine, one):
        fault = EngineRefused(400, b"")
        assert not any(await asyncio.gather(*(one.is_lost(fault, one.sent()) for _ in range(100))))
        assert machine.asked.count("/health") <= 2
        assert machine.asked.count("/status") <= 2


async def test_a_freeze_is_no_time_of_waiting_for_the_engine() -> None:
    """By the clock that leaves it out; by another one this limit would be over at once."""
    async with health(lambda: 0.0, ENGINE_WAIT_TIMEOUT="0.01") as (machine, one):
        machine.sick = 4
        await one.until_ready()
        assert machine.asked.count("/health") >= 5


async def test_an_answer_that_is_older_than_the_question_does_not_count() -> None:
    """The engine was well when the first one asked, and has died when the second one does."""
    async with health() as (machine, one):
        first = asyncio.create_task(one.is_well())
        while "/health" not in machine.asked:
            await asyncio.sleep(0)
        machine.sick = 1
        assert not await one.is_well()
        assert await first


async def test_a_life_ends_when_the_engine_is_away_and_the_next_begins_when_it_is_back() -> None:
    async with health() as (machine, one):
        first = one.sent()
        assert not await one.has_ended(first, surely=False)
        machine.sick = 3
        assert await one.has_ended(first, surely=False)
        machine.status |= {"restarts": 1, "since": time.time()}
        one._supervision._known_at = -1e9  # its answer is old by now
        await one.until_ready()
        assert one.sent().life == first.life + 1
        assert await one.has_ended(first, surely=False)
        assert not await one.has_ended(one.sent(), surely=False)


async def test_one_that_was_not_well_for_a_moment_is_the_same() -> None:
    """As long as the supervisor counts no restart."""
    async with health() as (machine, one):
        await one.until_ready()
        before = one.sent()
        machine.sick = 1
        assert not await one.is_well()
        await one.until_ready()
        for fault in (EngineRefused(400, b""), StreamBroken("cut")):
            assert await one.why_broken(fault, 3, before) is fault
        assert not await one.is_lost(EngineRefused(400, b""), before)
        assert not await one.has_ended(before, surely=False)


async def test_a_life_begins_before_anything_is_sent_in_it() -> None:
    sent: list[Sent] = []

    async def ask() -> None:
        sent.append(one.sent())

    async with health() as (machine, one):
        await one.until_ready()
        machine.sick = 1
        assert await one.is_lost(EngineSilent("nothing"), one.sent())
        await one.once_there(ask)
        assert not await one.is_lost(EngineRefused(400, b""), sent[0])
        assert not await one.has_ended(sent[0], surely=False)


async def test_a_restart_that_nobody_noticed_ended_what_was_sent_before() -> None:
    """Who posts an output does not look at the engine, and that may take a minute."""
    async with health() as (machine, one):
        await one.until_ready()
        before = one.sent()
        fault = EngineRefused(400, b"")
        assert not await one.is_lost(fault, before)
        machine.status |= {"restarts": 1, "since": time.time(), "last_failure": "boom"}
        one._supervision._known_at = -1e9  # its answer is old by now
        after = one.sent()
        error = await one.why_broken(StreamBroken("cut"), 12, before)
        assert isinstance(error, EngineRestarted)
        assert str(error) == (
            "the engine ended in the middle of this answer, after 12 tokens, and was restarted;"
            " send the job again: boom"
        )
        assert await one.is_lost(fault, before)
        assert await one.has_ended(before, surely=False)
        broken = StreamBroken("cut")
        assert await one.why_broken(broken, 12, after) is broken
        assert not await one.is_lost(fault, after)
        assert not await one.has_ended(after, surely=False)


async def test_an_engine_that_answers_and_dies_all_the_same() -> None:
    """Its API server goes on for a moment; the supervisor sees its end."""
    async with health() as (machine, one):
        asked = asyncio.create_task(one.has_ended(one.sent(), surely=True))
        while machine.asked.count("/status") < 2:
            await asyncio.sleep(0.001)
        machine.status = {"state": "RESTARTING", "engine_pid": None, "last_failure": "boom"}
        assert await asked
        assert await one.why_ended() == "boom"


async def test_an_engine_that_comes_back_is_waited_for() -> None:
    async with health() as (machine, one):
        machine.sick = 3
        await one.until_ready()
        assert machine.asked.count("/health") >= 4


async def test_the_wait_is_bounded_and_the_error_has_the_cause() -> None:
    async with health(ENGINE_WAIT_TIMEOUT="0.3") as (machine, one):
        machine.sick = 1000
        machine.status = {"state": "RESTARTING", "last_failure": "boom"}
        with pytest.raises(EngineUnavailable) as caught:
            await one.until_ready()
    expected = "no engine was ready within 0 s; the engine is being restarted: boom"
    assert str(caught.value) == expected


async def test_an_engine_that_will_not_come_is_not_waited_for() -> None:
    async with health() as (machine, one):
        machine.sick = 1000
        machine.status = {"state": "FAILED", "last_failure": "boom"}
        with pytest.raises(EngineUnavailable, match="the worker has given up: boom"):
            await one.until_ready()


async def test_an_answer_that_broke_off_because_the_engine_ended() -> None:
    async with health() as (machine, one):
        machine.sick = 1000
        machine.status = {"state": "RESTARTING", "engine_pid": None, "last_failure": "SIGKILL"}
        error = await one.why_broken(StreamBroken("cut"), 12, one.sent())
        assert isinstance(error, EngineRestarted)
        assert str(error) == (
            "the engine ended in the middle of this answer, after 12 tokens, and is being"
            " restarted; send the job again: the engine is being restarted: SIGKILL"
        )


async def test_an_error_inside_a_stream_of_an_engine_that_ended_is_not_the_jobs_fault() -> None:
    async with health() as (machine, one):
        machine.sick = 1000
        machine.status = {"state": "RESTARTING", "engine_pid": None}
        fault = ErrorInStream(400, b"EngineCore encountered an issue", ())
        error = await one.why_broken(fault, 3, one.sent())
        assert isinstance(error, EngineRestarted)


async def test_an_answer_that_broke_off_although_the_engine_is_well() -> None:
    fault = StreamBroken("cut")
    async with health() as (_, one):
        assert await one.why_broken(fault, 12, one.sent()) is fault


@pytest.mark.parametrize("state", ["STARTING", "RESTARTING"])
async def test_an_engine_that_answers_before_the_worker_is_ready_is_not_asked(state: str) -> None:
    """It may be warmed up."""
    asked: list[str] = []

    async def ask() -> str:
        asked.append(machine.status["state"])
        return "answer"

    async with health() as (machine, one):
        ready = machine.status
        machine.status = {**ready, "state": state}
        waiting = asyncio.create_task(one.once_there(ask))
        while machine.asked.count("/status") < 3:
            await asyncio.sleep(0.01)
        assert asked == []
        machine.status = ready
        assert await waiting == "answer"
    assert asked == ["READY"]


async def test_the_supervisor_is_asked_once_while_the_engine_is_there() -> None:
    async def ask() -> str:
        return "answer"

    async with health() as (machine, one):
        for _ in range(5):
            assert await one.once_there(ask) == "answer"
            one._supervision._known_at = -1e9  # its answer is old by now
        assert machine.asked.count("/status") == 1
        machine.sick = 1
        assert not await one.is_well()
        assert await one.once_there(ask) == "answer"
        assert machine.asked.count("/status") == 2
