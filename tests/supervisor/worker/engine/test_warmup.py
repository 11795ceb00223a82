"""What a healthy engine is asked before the worker is ready, and what is said of its answers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from supervisor.command import plan
from supervisor.settings.warmup import Request
from supervisor.worker import lifecycle
from supervisor.worker.engine import warmup
from supervisor.worker.engine.phases import Start
from tests.client import PATIENCE

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
STREAM = 'data: {"choices": [{"text": "a"}]}\n\ndata: [DONE]\n\n'
NOT_FOUND = (404, '{"detail":"Not Found"}')

Answers = dict[str, tuple[int, str]]


class Engine:
    """Answers each route with a status and a text; 404 on the others. Keeps what it was asked."""

    def __init__(self, answers: Answers, *, hangs: bool = False, at_once: int = 0) -> None:
        self.answers = answers
        self.hangs = hangs
        self.wanted = at_once  # answers come once so many have asked
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.running = self.most = 0
        self._enough = asyncio.Event()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "tiny"}]})
        form = request.headers["Content-Type"].startswith("multipart/form-data")
        body = {"form": request.content} if form else json.loads(request.content)
        self.asked.append((request.url.path, body))
        self.running += 1
        self.most = max(self.most, self.running)
        if self.running >= self.wanted:
            self._enough.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.wanted and len(self.asked) > 1:
            await self._enough.wait()
        self.running -= 1
        status, text = self.answers.get(request.url.path, NOT_FOUND)
        return httpx.Response(status, text=text)

    @property
    def routes(self) -> list[str]:
        return [route for route, _ in self.asked]

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.MockTransport(self.answer), base_url="http://engine"
        )


async def within(work: Awaitable[Any]) -> Any:
    async with asyncio.timeout(PATIENCE):
        return await work


async def warmed(engine: Engine, version: str | None = "0.32.0", **more: Any) -> bool:
    made = replace(plan.make({"WARMUP": "1", **more.pop("env", {})}, None), **more)
    async with engine.client() as client:
        found: bool = await within(
            warmup.warm_plan(
                client, replace(made, vllm_version=version), Start(), lambda _event: None
            )
        )
    return found


# --- which route ---


@pytest.mark.parametrize(
    ("served", "tried"),
    [
        ({CHAT: (200, STREAM)}, [CHAT]),
        ({CHAT: (400, '{"error": {"message": "no template"}}'), TEXT: (200, STREAM)}, [CHAT, TEXT]),
        ({"/v1/embeddings": (200, '{"data": []}')}, [CHAT, TEXT, "/v1/embeddings"]),
        ({"/score": (200, "{}")}, [CHAT, TEXT, "/v1/embeddings", "/score"]),
        ({"/classify": (200, "{}")}, [CHAT, TEXT, "/v1/embeddings", "/score", "/classify"]),
        (
            {CHAT: (501, "{}"), "/score": (422, "{}"), "/pooling": (200, "{}")},
            [CHAT, TEXT, "/v1/embeddings", "/score", "/classify", "/pooling"],
        ),
        (
            {"/v1/audio/transcriptions": (200, '{"text": ""}')},
            [
                *(CHAT, TEXT, "/v1/embeddings", "/score", "/classify", "/pooling"),
                "/v1/audio/transcriptions",
            ],
        ),
    ],
)
async def test_the_first_route_that_is_not_refused_fits(served: Answers, tried: list[str]) -> None:
    engine = Engine(served)
    async with engine.client() as client:
        found = await within(warmup.first(client, "tiny"))
    assert engine.routes == tried
    assert found.request.route == tried[-1]
    assert found.seconds >= 0


async def test_the_first_request_is_small_and_streams() -> None:
    engine = Engine({CHAT: (200, STREAM)})
    async with engine.client() as client:
        await within(warmup.first(client, "tiny"))
        await within(warmup.first(client, None))
    (_, body), (_, nameless) = engine.asked
    assert body["model"] == "tiny"
    assert body["stream"] is True
    assert body["max_tokens"] <= 4
    assert "model" not in nameless


async def test_a_recording_goes_as_a_form() -> None:
    engine = Engine({"/v1/audio/transcriptions": (200, '{"text": ""}')})
    async with engine.client() as client:
        await within(warmup.first(client, "tiny"))
    form = engine.asked[-1][1]["form"]
    assert b'name="model"\r\n\r\ntiny' in form
    assert b"RIFF" in form


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({}, "no route that was tried takes a request; the engine answered 404 on"),
        ({TEXT: (500, '{"error": {"message": "out\\nof memory"}}')}, "500 on /v1/completions: out"),
        ({CHAT: (401, '{"error": "Unauthorized"}')}, "401 on /v1/chat/completions: Unauthorized"),
        ({CHAT: (200, "")}, f"the answer on {CHAT} was empty"),
        ({CHAT: (200, 'data: {"error": {"message": "dead"}}\n\n')}, f"200 on {CHAT}: dead"),
        ({CHAT: (500, "x" * 900)}, "x..."),
        ({CHAT: (500, '{"message": "hf_abcdefghijkl is no token"}')}, ": *** is no token"),
    ],
)
async def test_why_nothing_came(answers: Answers, why: str) -> None:
    engine = Engine(answers)
    async with engine.client() as client:
        with pytest.raises(warmup.ColdError) as caught:
            await within(warmup.first(client, "tiny"))
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


async def test_a_key_that_is_wrong_is_tried_once() -> None:
    engine = Engine({CHAT: (401, "{}")})
    async with engine.client() as client:
        with pytest.raises(warmup.ColdError, match="set VLLM_API_KEY to the key"):
            await within(warmup.first(client, "tiny"))
    assert engine.routes == [CHAT]


async def test_an_engine_that_is_gone_says_nothing() -> None:
    async def gone(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("All connection attempts failed")

    async with httpx.AsyncClient(
        transport=httpx.MockTransport(gone), base_url="http://engine"
    ) as client:
        with pytest.raises(warmup.ColdError, match="was not answered: All connection attempts"):
            await within(warmup.first(client, "tiny"))


# --- a few at once ---


async def test_the_others_come_at_once_and_are_longer(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine({CHAT: (200, STREAM)}, at_once=4)
    with caplog.at_level(logging.INFO):
        assert await warmed(engine)
    assert engine.most == 4
    texts = [body["messages"][0]["content"] for _, body in engine.asked]
    assert [len(text.split()) for text in texts] == [1, 2, 20, 80, 1]
    assert f"warmed up: 5 requests to {CHAT}, the first one answered after 0.0" in caplog.text


@pytest.mark.parametrize(
    ("version", "grammar"),
    [("0.32.0", 1), ("0.28.0+cpu", 1), ("1.0.0", 1), ("0.27.1", 0), ("0.8.5", 0), (None, 0)],
)
async def test_a_grammar_is_asked_for_where_it_can_end_no_engine(
    version: str | None, grammar: int
) -> None:
    engine = Engine({TEXT: (200, STREAM)})
    assert await warmed(engine, version)
    asked = [body for _, body in engine.asked if "response_format" in body]
    assert len(asked) == grammar


@pytest.mark.parametrize(
    ("route", "names"),
    [
        ("/v1/embeddings", {"model", "input"}),
        ("/score", {"model", "text_1", "text_2"}),
        ("/v1/audio/transcriptions", {"form"}),
    ],
)
async def test_what_writes_no_text_is_asked_for_none(route: str, names: set[str]) -> None:
    engine = Engine({route: (200, "{}")})
    assert await warmed(engine)
    asked = [body for where, body in engine.asked if where == route]
    assert len(asked) > 1
    assert all(set(body) == names for body in asked)


async def test_a_file_is_sent_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing else beside it; the model that is served only where no other is named."""
    file = (
        Request(CHAT, {"messages": [], "n": 2}),
        Request("/classify", {"model": "other", "input": "\ud800"}),
        *[Request(TEXT, {"prompt": str(number)}) for number in range(30)],
    )
    engine = Engine({CHAT: (200, STREAM), TEXT: (200, STREAM), "/classify": (200, "{}")})
    with caplog.at_level(logging.INFO):
        assert await warmed(engine, warmup=file, env={"WARMUP": "/w.jsonl"})
    assert engine.asked[0] == (CHAT, {"model": "tiny", "messages": [], "n": 2})
    assert ("/classify", {"model": "other", "input": "\ud800"}) in engine.asked
    assert len(engine.asked) == len(file)
    assert engine.most <= 8
    assert "warmed up: 32 requests of /w.jsonl, the first one answered after" in caplog.text


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (400, f"warmed up: 3 requests to {CHAT}, the first one"),
        (500, f"not warmed up: the engine answered 500 on {CHAT}: too long"),
    ],
)
async def test_a_short_context_refuses_some_of_ours(
    caplog: pytest.LogCaptureFixture, status: int, told: str
) -> None:
    class Short(Engine):
        async def answer(self, request: httpx.Request) -> httpx.Response:
            answer = await super().answer(request)
            if b" 12 " in request.content:
                return httpx.Response(status, json={"error": {"message": "too long"}})
            return answer

    with caplog.at_level(logging.INFO):
        assert await warmed(Short({CHAT: (200, STREAM)}))
    assert told in caplog.text


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_one_that_is_refused_is_told_and_the_others_are_sent(
    caplog: pytest.LogCaptureFixture, place: int
) -> None:
    file = [Request(TEXT, {}), Request(TEXT, {})]
    file.insert(place, Request("/classify", {}))
    engine = Engine({TEXT: (200, STREAM)})
    assert await warmed(engine, warmup=tuple(file))
    assert [route for route, _ in engine.asked].count(TEXT) == 2
    told = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert told == ["not warmed up: the engine answered 404 on /classify: Not Found"]


async def test_one_that_hangs_costs_no_more_than_its_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = Engine({}, hangs=True)
    assert not await warmed(engine, env={"WARMUP_TIMEOUT": "0.2"})
    assert "not warmed up: no answer within 0.2 s (WARMUP_TIMEOUT)" in caplog.text


@pytest.mark.parametrize("first", [TEXT, "/classify"])
async def test_one_that_takes_longer_than_its_time_was_answered_all_the_same(
    caplog: pytest.LogCaptureFixture, first: str
) -> None:
    """A long file says nothing against the engine; nor does one whose first request is refused."""

    class Slow(Engine):
        async def answer(self, request: httpx.Request) -> httpx.Response:
            if b"slow" in request.content:
                await asyncio.Event().wait()
            return await super().answer(request)

    file = [Request(first, {}), Request(TEXT, {}), Request(TEXT, {"prompt": "slow"})]
    env = {"WARMUP": "/w.jsonl", "WARMUP_TIMEOUT": "0.2"}
    assert await warmed(Slow({TEXT: (200, STREAM)}), warmup=tuple(file), env=env)
    count = 2 if first == TEXT else 1
    told = f"not warmed up: {count} of 3 requests of /w.jsonl were answered within 0.2 s"
    assert told in caplog.text


async def test_the_start_has_more_time_and_a_phase_for_it() -> None:
    events: list[lifecycle.Event] = []
    start = Start()
    seen: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        seen.append(start.words)
        return await engine.answer(request)

    engine = Engine({CHAT: (200, STREAM)})
    made = plan.make({"WARMUP": "1", "WARMUP_TIMEOUT": "7"}, None)
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(answer), base_url="http://engine"
    ) as client:
        await within(warmup.warm_plan(client, made, start, events.append))
    (warming,) = events
    assert isinstance(warming, lifecycle.Warming)
    assert 7 < warming.seconds < 30
    assert set(seen) == {"warming up"}
    start.ended()
    assert "warmup" in start.seconds
