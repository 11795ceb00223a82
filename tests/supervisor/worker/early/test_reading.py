"""The process that reads ahead, held against the start that it belongs to."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from supervisor.catalog import versions
from supervisor.command import plan
from supervisor.models.placement import OnDisk, Stored
from supervisor.worker.early import reading
from supervisor.worker.engine import phases
from supervisor.worker.logs import LogSink
from supervisor.worker.process import orphans
from supervisor.worker.process.launcher import Launcher
from tests.client import PATIENCE
from tests.supervisor.foreign.reading.cold import share, write_cold
from tests.supervisor.worker.closing import closed

STUB = [sys.executable, "-c", "import time; time.sleep(300)"]  # one that reads for ever


class Start(phases.Start):
    """One that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def begin(self, name: str) -> None:
        self.told.append(f"{name} begins")

    def end(self, name: str) -> None:
        self.told.append(f"{name} ends")


@pytest.fixture
async def launcher() -> AsyncIterator[Launcher]:
    one = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
    yield one
    await closed(one)


async def running(launcher: Launcher, start: Start) -> tuple[asyncio.Task[None], int]:
    """The watch over a reading that has begun, and its process."""
    before = set(orphans.children(os.getpid()))  # other tests have processes too
    task = asyncio.create_task(reading.watch(start, STUB, launcher))
    async with asyncio.timeout(PATIENCE):
        while not start.told:
            await asyncio.sleep(0.01)
    (pid,) = set(orphans.children(os.getpid())) - before
    return task, pid


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while pid in orphans.children(os.getpid()):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("phase", ["compile", "memory", "graphs", "server", "warmup"])
async def test_it_ends_when_the_engine_is_past_the_weights(
    launcher: Launcher, phase: str, caplog: pytest.LogCaptureFixture
) -> None:
    start = Start()
    with caplog.at_level(logging.INFO):
        task, pid = await running(launcher, start)
        for before in ("download", "weights"):
            start.phase = before
            await asyncio.sleep(3 * reading._LOOK_EVERY)
            assert not task.done()
        start.phase = phase
        await asyncio.wait_for(task, PATIENCE)
    await until_gone(pid)
    assert start.told == ["read begins", "read ends"]
    assert [record.message for record in caplog.records] == [
        "read ahead: stopped, for vLLM has loaded the weights"
    ]


async def test_it_ends_with_the_start(launcher: Launcher) -> None:
    start = Start()
    task, pid = await running(launcher, start)
    start.over = True
    await asyncio.wait_for(task, PATIENCE)
    await until_gone(pid)


async def test_a_stop_kills_it_and_does_not_wait(launcher: Launcher) -> None:
    start = Start()
    task, pid = await running(launcher, start)
    task.cancel()
    await asyncio.wait({task}, timeout=0.1)
    assert task.cancelled()
    assert start.told == ["read begins", "read ends"]
    await until_gone(pid)


async def test_what_cannot_be_started_fails_no_start(
    launcher: Launcher, caplog: pytest.LogCaptureFixture
) -> None:
    start = Start()
    await reading.watch(start, ["/not/there"], launcher)
    assert start.told == []
    assert caplog.records[0].message.startswith("the weights are not read ahead: /not/there")


async def test_a_plan_says_what_is_read(launcher: Launcher, tmp_path: Path) -> None:
    path = write_cold(tmp_path / "model.safetensors", 1 << 20)
    env, catalog = {"MODEL_NAME": str(tmp_path)}, versions.load("0.32.0")
    start = Start()
    await reading.watch_plan(start, plan.make(env, catalog), env, launcher)
    assert start.told == []
    made = plan.make(env, catalog, OnDisk(stored=Stored(str(tmp_path), "ext4")))
    await reading.watch_plan(start, made, env, launcher)
    assert start.told == ["read begins", "read ends"]
    assert share(path) == 1
