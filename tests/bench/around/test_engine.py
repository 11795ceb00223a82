"""What the bench's engine sends, as a client reads it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from bench.around.engine import Engine
from bench.load import MARK, TOOK
from tests.client import PATIENCE

CHAT = "/v1/chat/completions"
TOKENS = 5


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[aiohttp.ClientSession]:
    class Fast(Engine):
        rate = 100.0

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Fast, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession(url) as session:
        yield session
    server.close()


async def test_a_stream(engine: aiohttp.ClientSession) -> None:
    before = time.monotonic_ns()
    asked = {"stream": True, "max_tokens": TOKENS, "return_token_ids": True}
    async with engine.post(CHAT, json=asked) as answer:
        text = (await answer.read()).decode()
    events = text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    choices = [chunk["choices"][0] for chunk in chunks]
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    assert [each["finish_reason"] for each in choices[1:]] == [None] * (TOKENS - 1) + ["length"]
    assert [each["token_ids"] for each in choices[1:]] == [[number] for number in range(TOKENS)]
    marks = [(int(number), int(sent)) for number, sent in MARK.findall(text)]
    assert [number for number, _ in marks] == list(range(TOKENS))
    sent = [when for _, when in marks]
    assert sent == sorted(sent)
    assert before < sent[0] < sent[-1] < time.monotonic_ns()
    assert sent[-1] - before > 0.9 * TOKENS / 100 * 1e9, "no faster than its rate"


async def test_a_whole_answer_says_how_long_it_took(engine: aiohttp.ClientSession) -> None:
    async with engine.post(CHAT, json={"max_tokens": TOKENS}) as answer:
        body = await answer.read()
    assert len(MARK.findall(body.decode())) == TOKENS
    took = TOOK.search(body)
    assert took is not None
    assert int(took[1]) > 0.9 * TOKENS / 100 * 1e9
    assert json.loads(body)["usage"]["completion_tokens"] == TOKENS


async def test_it_is_ready_and_has_one_model(engine: aiohttp.ClientSession) -> None:
    async with engine.get("/health") as answer:
        assert answer.status == 200
    async with engine.get("/v1/models") as answer:
        assert len((await answer.json())["data"]) == 1
    async with engine.post("/v1/other", json={}) as answer:
        assert answer.status == 404
