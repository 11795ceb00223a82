"""The engine over HTTP: what is asked, what is answered, what is refused while it is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer as TestServer

from proxy import settings
from proxy.engine.requests import Attempt, Engine, HeldBack
from proxy.errors import AnswerTooLarge, EngineRefused, EngineUnavailable, InvalidInput
from proxy.request.forms import Request
from tests.client import PATIENCE
from tests.processes import free_port


class Machine:
    """An engine. `large` are the bytes of its large answers, `sent` those that it got rid of."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.version = 200
        self.large = self.sent = 0
        self.cut = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        self.headers.append({name.lower(): text for name, text in request.headers.items()})
        if request.path == "/version":
            return web.json_response({"version": "0.33.0"}, status=self.version)
        if request.path == "/v1/models":
            return web.json_response({"data": [{"id": "tiny"}]})
        if request.path == "/text":
            return web.Response(text="no JSON")
        if request.path in ("/large", "/error"):
            return await self._large(request, 200 if request.path == "/large" else 500)
        return web.json_response({"asked": await request.json(), "error": "a field"})

    async def _large(self, request: web.BaseRequest, status: int) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        try:
            while self.sent < self.large:
                await response.write(b"x" * 1_000_000)
                self.sent += 1_000_000
        finally:
            self.cut.set()
        return response


Parts = tuple[Machine, Engine]


@asynccontextmanager
async def engine(**environment: str) -> AsyncIterator[Parts]:
    machine = Machine()
    async with TestServer(machine.handle) as server, asyncio.timeout(PATIENCE):
        url = f"http://127.0.0.1:{server.port}"
        one = Engine(settings.read({"ENGINE_URL": url, **environment}))
        yield machine, one
        await one.close()


async def test_without_a_supervisor_the_wait_is_bounded_too() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    one = Engine(settings.read({"ENGINE_URL": url, "ENGINE_WAIT_TIMEOUT": "0.3"}))
    with pytest.raises(EngineUnavailable, match=r"no engine was ready within 0 s$"):
        await one.answer(Request("GET", "/x", {}))
    await one.close()


async def test_whether_it_may_go_is_asked_at_each_sending_and_not_before_the_wait() -> None:
    """A request for an engine that is away is sent when it is back: much may have changed then."""
    asked: list[int] = []

    def may_go() -> bool:
        asked.append(len(asked))
        return len(asked) < 3

    unsent: list[int] = []
    url = f"http://127.0.0.1:{free_port()}"
    one = Engine(settings.read({"ENGINE_URL": url}))
    attempt = Attempt(may_go=may_go, unsent=lambda: unsent.append(len(asked)))
    with pytest.raises(HeldBack):
        await one.whole(Request("GET", "/x", {}), attempt)
    assert asked == [0, 1, 2]
    assert unsent == [1, 2]
    await one.close()


async def test_what_an_engine_took_is_not_told_as_unsent() -> None:
    async with engine() as (_, one):
        unsent: list[str] = []
        attempt = Attempt(unsent=lambda: unsent.append("x"))
        await one.whole(Request("POST", "/x", {"model": "m"}), attempt)
        assert not unsent


async def test_a_request_carries_its_attempts_headers_beside_a_callers_own_id() -> None:
    async with engine() as (machine, one):
        headers = {"X-Request-Id": "job-1", "traceparent": "00-a-b-01"}
        names = [name.lower() for name in headers]
        await one.answer(Request("POST", "/x", {"model": "m"}))
        await one.whole(Request("POST", "/x", {"model": "m"}), Attempt(headers=headers))
        own = {"model": "m", "request_id": "mine"}
        await one.whole(Request("POST", "/x", own), Attempt(headers=headers))
        sent = [[each.get(name) for name in names] for each in machine.headers]
        assert sent == [[None, None], ["job-1", "00-a-b-01"], [None, "00-a-b-01"]]


async def test_an_answer_is_its_json_or_its_text_whatever_is_in_it() -> None:
    async with engine() as (_, one):
        assert await one.answer(Request("POST", "/x", {"model": "m"})) == {
            "asked": {"model": "m"},
            "error": "a field",
        }
        assert await one.answer(Request("GET", "/text", {})) == "no JSON"


async def test_an_answer_that_is_too_large_is_refused_while_it_is_read() -> None:
    async with engine() as (machine, one):
        machine.large = 1_000_000_000
        with pytest.raises(AnswerTooLarge, match=r"more than 19\.9 MB, and the platform"):
            await one.whole(Request("GET", "/large", {}))
        await machine.cut.wait()
        assert machine.sent < 100_000_000


async def test_the_body_of_an_error_is_read_up_to_a_limit() -> None:
    async with engine() as (machine, one):
        machine.large = 1_000_000_000
        for ask in (one.whole, one.answer):
            machine.cut.clear()
            with pytest.raises(EngineRefused) as caught:
                await ask(Request("GET", "/error", {}))
            assert caught.value.status == 500
            assert len(str(caught.value)) <= 2003
            await machine.cut.wait()
        assert machine.sent < 100_000_000


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
