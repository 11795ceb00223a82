"""Answers in one piece: bounded, counted, and handed over as they are where they are large."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from proxy.stream import finite, whole
from proxy.stream.raw import RawJson
from proxy.stream.whole import Answer

LARGE = 300_000  # bytes: more than what is parsed


def answer(body: bytes, kind: str = "application/json") -> Answer:
    return Answer(body, kind)


def said(text: str, tokens: int = 7) -> dict[str, Any]:
    return {"choices": [{"text": text}], "usage": {"completion_tokens": tokens}}


async def test_a_small_answer_is_read() -> None:
    assert await whole.output(answer(json.dumps(said("x")).encode())) == (said("x"), 7)


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
async def test_what_is_no_json_is_text(kind: str) -> None:
    assert await whole.output(answer(b"no JSON", kind)) == ("no JSON", None)
    long = b"no JSON" * 100_000
    assert await whole.output(answer(long, kind)) == (long.decode(), None)


async def test_a_small_answer_has_nothing_that_json_has_not() -> None:
    body = b'{"a": NaN, "b": [-Infinity, Infinity, 1e999], "c": "NaN"}'
    found, _ = await whole.output(answer(body))
    sent = finite.encoded(found)  # as the platform gets it
    assert json.loads(sent) == {"a": None, "b": [None, None, None], "c": "NaN"}


async def test_a_large_answer_stays_as_the_engine_wrote_it() -> None:
    body = b'{"choices": [{"text": "%s \\ud83d"}], "usage":{"completion_tokens": 9}, "x": {}}' % (
        b"x" * LARGE
    )
    found, tokens = await whole.output(answer(body))
    assert (type(found), found, tokens) == (RawJson, body, 9)


async def test_tokens_that_an_answer_talks_of_are_not_counted() -> None:
    text = '"usage": {"completion_tokens": 5}' + "x" * LARGE
    found, tokens = await whole.output(answer(json.dumps(said(text)).encode()))
    assert tokens == 7
    bare = {"choices": [{"text": text}]}
    found, tokens = await whole.output(answer(json.dumps(bare).encode()))
    assert tokens is None
    assert json.loads(found) == bare


@pytest.mark.parametrize(
    "text",
    ["NaN", 'say "NaN", Infinity', "back\\", '\\"', 'a\\\\"', "\\" * 200_001, '"' * 200_001, ""],
    ids=range(8),
)
@pytest.mark.parametrize("place", [0, 65_535, 65_536, 65_537, 200_000])
async def test_a_large_answer_has_nothing_that_json_has_not(text: str, place: int) -> None:
    """Wherever it is, whatever the text around it looks like."""
    numbers = '{"n": NaN, "i": [-Infinity, Infinity], "text": %s, "again": NaN}'
    given = ["x" * place, json.loads(numbers % json.dumps(text)), "NaN " * 80_000 + text, 1.5]
    found, _ = await whole.output(answer(json.dumps(given).encode()))
    cleaned = {"n": None, "i": [None, None], "text": text, "again": None}
    assert json.loads(found, parse_constant=pytest.fail) == [given[0], cleaned, *given[2:]]


async def test_a_large_answer_does_not_stop_the_others() -> None:
    """They have their turns between its parts."""
    body = b"[" + b"NaN," * 1_000_000 + b"1]"
    turns, over = 0, False

    async def look() -> None:
        nonlocal turns
        while not over:
            await asyncio.sleep(0)
            turns += 1

    looking = asyncio.create_task(look())
    found, _ = await whole.output(answer(body))
    over = True
    await looking
    assert found == b"[" + b"null," * 1_000_000 + b"1]"
    assert turns > 50
