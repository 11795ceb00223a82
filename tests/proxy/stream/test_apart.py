"""A large answer in the native form, and what meanwhile becomes of everybody else."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from proxy.errors import AnswerNotUnderstood, JobError
from proxy.stream import apart
from proxy.stream.raw import RawJson
from tests.client import PATIENCE
from tests.processes import ROOT


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


@pytest.mark.parametrize("size", [1000, 2 * apart.IN_PROCESS])
async def test_a_child_gives_what_this_process_would(size: int) -> None:
    found, tokens = await apart.Native()(raw := answer(size))
    assert (len(raw) > apart.IN_PROCESS) == (size > apart.IN_PROCESS)
    assert tokens == 7
    (choice,) = (strict(found) if isinstance(found, RawJson) else found)["choices"]
    assert choice["tokens"] == ["ä\ud83d"]
    assert len(choice["logprobs"][0]["top_logprobs"]) == size // 24
    assert choice["logprobs"][0]["top_logprobs"][0] == {"a": -0.5, "b": None}


async def test_a_large_answer_holds_nobody_up() -> None:
    """To parse these brackets takes 2.6 s, in which a thread would hold the interpreter."""
    brackets = b",".join([b"[]"] * 6_000_000)
    raw = b'{"choices": [{"text": "", "logprobs": [' + brackets + b"]}]}"
    gap = asyncio.create_task(longest_gap())
    began = time.monotonic()
    found, _ = await apart.Native()(raw)
    took = time.monotonic() - began
    gap.cancel()
    assert len(found) > 18_000_000
    assert await gap < max(1.0, took / 3)


@pytest.mark.parametrize("raw", [b"[" * 1_000_000, b'"' + b"x" * 1_000_000 + b'"'])
async def test_what_a_child_cannot_read_is_an_error_with_a_sentence(raw: bytes) -> None:
    with pytest.raises(AnswerNotUnderstood, match="the engine's answer"):
        await apart.Native()(raw)


def running() -> list[int]:
    """The children of this process that read an answer."""
    return [
        child.pid
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and "proxy.stream.apart" in child.cmdline()
    ]


async def started() -> list[int]:
    """Those children, once there are some."""
    async with asyncio.timeout(PATIENCE):
        while not (children := running()):
            await asyncio.sleep(0.01)
    return children


async def test_a_child_shows_no_key_to_who_can_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_of_the_platform")
    sleeps = (sys.executable, "-c", "import time; time.sleep(60)", "proxy.stream.apart")
    monkeypatch.setattr(apart, "_CHILD", sleeps)
    task = asyncio.create_task(apart.Native()(b" " * 1_000_000))
    (child,) = await started()
    assert "RUNPOD_API_KEY" not in psutil.Process(child).environ()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_job_leaves_no_child() -> None:
    raw = answer(20_000_000)
    task = asyncio.create_task(apart.Native()(raw))
    children = await started()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Not even one that is dead and not waited for: its transport would outlive the event loop.
    assert not [pid for pid in children if psutil.pid_exists(pid)]


async def test_a_child_that_is_killed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_CHILD", ("/bin/sh", "-c", "kill -9 $$"))
    with pytest.raises(JobError, match=r"an answer of 1\.0 MB: .* code -9"):
        await apart.Native()(b" " * 1_000_000)


def test_a_child_needs_nothing_but_the_standard_library() -> None:
    """The worker's packages would triple the time that it takes to start."""
    done = subprocess.run(
        apart._CHILD,
        input=b'{"choices": [{"text": "a"}], "usage": {"completion_tokens": 4}}',
        capture_output=True,
        cwd=ROOT,
        timeout=PATIENCE,
    )
    said = b'4\n{"choices": [{"tokens": ["a"]}], "usage": {"input": 0, "output": 4}}'
    assert (done.returncode, done.stdout, done.stderr) == (0, said, b"")
