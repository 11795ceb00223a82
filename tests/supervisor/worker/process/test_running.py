"""A program that runs: its start, its end, and who waits for it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import psutil
import pytest

from supervisor.worker.process.running import Running
from tests.client import PATIENCE


def run(*command: str, cwd: str = "/") -> Running:
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        return Running(command, dict(os.environ), cwd, null, ())
    finally:
        os.close(null)


@pytest.mark.parametrize(("code", "expected"), [("exit 3", 3), ("kill -9 $$", -9)])
async def test_all_who_wait_learn_its_exit_code(code: str, expected: int) -> None:
    one = run("sh", "-c", code)
    assert [*await asyncio.gather(one.wait(), one.wait())] == [expected, expected]
    assert await one.wait() == expected
    one.send(signal.SIGKILL)


async def test_who_waits_no_more_takes_it_from_nobody() -> None:
    one = run("sleep", "60")
    assert os.getpgid(one.pid) == one.pid
    waiting = asyncio.create_task(one.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    one.send(signal.SIGTERM)
    assert await one.wait() == -signal.SIGTERM
    assert not psutil.pid_exists(one.pid)


@pytest.mark.parametrize(("command", "cwd"), [("/nowhere", "/"), ("true", "/nowhere")])
async def test_what_does_not_start_leaves_nothing(command: str, cwd: str) -> None:
    before = threading.active_count()
    with pytest.raises(FileNotFoundError):
        run(command, cwd=cwd)
    async with asyncio.timeout(PATIENCE):
        while threading.active_count() > before:
            await asyncio.sleep(0.01)


def test_its_end_after_ours_is_no_error() -> None:
    async def start() -> int:
        return run("sleep", "60").pid

    pid = asyncio.run(start())
    watchers = [one for one in threading.enumerate() if one.name == "child-watcher"]
    os.kill(pid, signal.SIGKILL)
    for one in watchers:
        one.join(PATIENCE)
    assert not psutil.pid_exists(pid)
