"""An answer in one piece in the native form, and what meanwhile becomes of everybody else."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import psutil
import pytest

from proxy.errors import AnswerNotUnderstood, JobError
from proxy.stream import whole
from tests.client import PATIENCE


def answer(size: int) -> bytes:
    """An answer of about `size` bytes."""
    logprobs = {"top_logprobs": [{"a": -0.5, "b": float("nan")}] * (size // 24)}
    choices = [{"text": "ä\ud83d", "logprobs": logprobs}]
    return json.dumps({"choices": choices, "usage": {"completion_tokens": 7}}).encode()


def strict(text: bytes) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    return json.loads(text, parse_constant=refuse)


async def longest_gap() -> float:
    """Seconds between two turns of the event loop, at most, until it is cancelled."""
    longest, last = 0.0, time.monotonic()
    try:
        while True:
            await asyncio.sleep(0.005)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
    except asyncio.CancelledError:
        return longest


@pytest.mark.parametrize("size", [1000, 2 * whole.IN_PROCESS])
async def test_a_child_gives_what_this_process_would(size: int) -> None:
    found = await whole.Answers().native(raw := answer(size))
    assert (len(raw) > whole.IN_PROCESS) == (size > whole.IN_PROCESS)
    assert found.tokens == 7
    (choice,) = strict(found.text)["choices"]
    assert choice["tokens"] == ["ä\ud83d"]
    assert len(choice["logprobs"][0]["top_logprobs"]) == size // 24
    assert choice["logprobs"][0]["top_logprobs"][0] == {"a": -0.5, "b": None}


@pytest.mark.parametrize("size", [1000, 2 * whole.IN_PROCESS])
async def test_another_answer_stays_as_it_is_but_for_what_json_has_not(size: int) -> None:
    answers, raw = whole.Answers(), answer(size)
    assert await answers.valid(raw) == raw.replace(b": NaN", b": null")
    fine = raw.replace(b"NaN", b"0.5")
    assert await answers.valid(fine) is fine


async def test_a_large_answer_holds_nobody_up() -> None:
    """To parse these brackets takes 2.6 s, in which a thread would hold the interpreter."""
    brackets = b",".join([b"[]"] * 6_000_000)
    raw = b'{"choices": [{"text": "", "logprobs": [' + brackets + b"]}]}"
    gap = asyncio.create_task(longest_gap())
    began = time.monotonic()
    found = await whole.Answers().native(raw)
    took = time.monotonic() - began
    gap.cancel()
    assert len(found.text) > 18_000_000
    assert await gap < max(1.0, took / 3)


@pytest.mark.parametrize("raw", [b"[" * 1_000_000, b'"' + b"x" * 1_000_000 + b'"'])
async def test_what_a_child_cannot_read_is_an_error_with_a_sentence(raw: bytes) -> None:
    with pytest.raises(AnswerNotUnderstood, match="the engine's answer"):
        await whole.Answers().native(raw)


async def test_a_cancelled_job_leaves_no_child() -> None:
    raw = answer(20_000_000)
    task = asyncio.create_task(whole.Answers().native(raw))
    me = psutil.Process()
    async with asyncio.timeout(PATIENCE):
        while not (children := me.children()):
            await asyncio.sleep(0.01)
        task.cancel()
        while any(child.is_running() and child.status() != "zombie" for child in children):
            await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_child_that_is_killed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "_CHILD", ("/bin/sh", "-c", "kill -9 $$"))
    with pytest.raises(JobError, match=r"an answer of 1\.0 MB: .* code -9"):
        await whole.Answers().native(b" " * 1_000_000)
