"""The engine over HTTP: when it counts as lost, how long it is waited for, what is said then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer as TestServer

from proxy import settings
from proxy.engine import Engine
from proxy.errors import (
    EngineRefused,
    EngineRestarted,
    EngineSilent,
    EngineUnavailable,
    InvalidInput,
    JobError,
    StreamBroken,
)
from proxy.request.forms import Request
from tests.client import PATIENCE
from tests.processes import free_port


class Machine:
    """An engine and its supervisor in one server. `sick` is how many probes still fail."""

    def __init__(self) -> None:
        self.sick = 0
        self.status: dict[str, Any] = {"state": "READY", "restarts": 0, "engine_pid": 7}
        self.asked: list[str] = []
        self.version = 200

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path == "/health":
            self.sick -= 1
            return web.Response(status=200 if self.sick < 0 else 503)
        if request.path == "/status":
            return web.json_response(self.status)
        if request.path == "/version":
            return web.json_response({"version": "0.33.0"}, status=self.version)
        if request.path == "/v1/models":
            return web.json_response({"data": [{"id": "tiny"}]})
        if request.path == "/text":
            return web.Response(text="no JSON")
        return web.json_response({"asked": await request.json(), "error": "a field"})


Parts = tuple[Machine, Engine]


@asynccontextmanager
async def engine(**environment: str) -> AsyncIterator[Parts]:
    machine = Machine()
    async with TestServer(machine.handle) as server, asyncio.timeout(PATIENCE):
        url = f"http://127.0.0.1:{server.port}"
        one = Engine(settings.read({"ENGINE_URL": url, "CONTROL_URL": url, **environment}))
        yield machine, one
        await one.close()


@pytest.mark.parametrize(
    ("fault", "healthy", "lost"),
    [
        (StreamBroken("cut"), True, True),
        (StreamBroken("cut"), False, True),
        (EngineRefused(500, b""), True, False),
        (EngineRefused(500, b""), False, True),
        (EngineRefused(400, b""), False, False),  # it has answered
        (EngineSilent("nothing"), True, False),
        (EngineSilent("nothing"), False, True),
        (EngineUnavailable("away"), False, False),  # it was waited for already
        (InvalidInput("no"), False, False),
    ],
)
async def test_which_faults_mean_that_the_engine_is_lost(
    fault: JobError, healthy: bool, lost: bool
) -> None:
    async with engine() as (machine, one):
        machine.sick = 0 if healthy else 100
        assert await one.is_lost(fault) is lost


async def test_an_engine_that_comes_back_is_waited_for() -> None:
    async with engine() as (machine, one):
        machine.sick = 3
        await one.until_ready()
        assert machine.asked.count("/health") == 4


async def test_the_wait_is_bounded_and_the_error_has_the_cause() -> None:
    async with engine(ENGINE_WAIT_TIMEOUT="0.3") as (machine, one):
        machine.sick = 1000
        machine.status = {"state": "RESTARTING", "last_failure": "boom"}
        with pytest.raises(EngineUnavailable) as caught:
            await one.until_ready()
    expected = "no engine was ready within 0 s; the engine is being restarted: boom"
    assert str(caught.value) == expected


async def test_an_engine_that_will_not_come_is_not_waited_for() -> None:
    async with engine() as (machine, one):
        machine.sick = 1000
        machine.status = {"state": "FAILED", "last_failure": "boom"}
        with pytest.raises(EngineUnavailable, match="the worker has given up: boom"):
            await one.until_ready()


async def test_without_a_supervisor_the_wait_is_bounded_too() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    one = Engine(settings.read({"ENGINE_URL": url, "ENGINE_WAIT_TIMEOUT": "0.3"}))
    with pytest.raises(EngineUnavailable, match=r"no engine was ready within 0 s$"):
        await one.answer(Request("GET", "/x", {}))
    await one.close()


async def test_an_answer_that_broke_off_because_the_engine_ended() -> None:
    async with engine() as (machine, one):
        machine.sick = 1000
        machine.status = {"state": "RESTARTING", "engine_pid": None, "last_failure": "SIGKILL"}
        error = await one.why_broken(StreamBroken("cut"), 12)
        assert isinstance(error, EngineRestarted)
        assert str(error) == (
            "the engine ended in the middle of this answer, after 12 tokens, and is being"
            " restarted; send the job again: the engine is being restarted: SIGKILL"
        )


async def test_an_answer_that_broke_off_although_the_engine_is_well() -> None:
    fault = StreamBroken("cut")
    async with engine() as (_, one):
        assert await one.why_broken(fault, 12) is fault


async def test_an_answer_is_its_json_or_its_text_whatever_is_in_it() -> None:
    async with engine() as (_, one):
        assert await one.answer(Request("POST", "/x", {"model": "m"})) == {
            "asked": {"model": "m"},
            "error": "a field",
        }
        assert await one.answer(Request("GET", "/text", {})) == "no JSON"


async def test_the_served_model_and_the_version_are_asked_for_once() -> None:
    async with engine() as (machine, one):
        for _ in range(2):
            answer = await one.answer(Request("POST", "/x", {}))
            assert answer["asked"] == {"model": "tiny"}
            assert await one.version() == "0.33.0"
        assert machine.asked.count("/v1/models") == 1
        assert machine.asked.count("/version") == 1


async def test_a_body_that_cannot_be_sent_is_refused_before_it_is() -> None:
    async with engine() as (machine, one):
        for prompt in ("half \ud83d", float("nan")):
            with pytest.raises(InvalidInput):
                await one.answer(Request("POST", "/x", {"model": "m", "prompt": prompt}))
        assert machine.asked == []


async def test_what_was_made_of_a_job_is_sent_as_it_is() -> None:
    async with engine() as (_, one):
        request = Request("POST", "/x", {"a": "é"}).with_body({"a": "é", "b": []})
        answer = await one.answer(request)
        assert answer["asked"] == {"model": "tiny", "a": "é", "b": []}


async def test_an_engine_that_serves_no_schema() -> None:
    async with engine() as (machine, one):
        assert await one.schema() is None
        assert await one.schema() is None
        assert machine.asked.count("/openapi.json") == 1


async def test_an_engine_that_does_not_say_its_version() -> None:
    async with engine() as (machine, one):
        machine.version = 404
        assert await one.version() is None
