"""One run of a stand-in engine: the events that it puts, in their order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import psutil
import pytest

from supervisor.catalog import options
from supervisor.command import plan
from supervisor.errors import CommandNotFound
from supervisor.worker import lifecycle
from supervisor.worker.engine.run import Demand, EngineRun
from supervisor.worker.lifecycle import Ended, Event, Exited, Probed, Ready
from supervisor.worker.logs import LogSink
from supervisor.worker.process.launcher import Launcher
from tests.processes import CATALOG, FAKE, free_port


class Run:
    """A run with the events that it has put."""

    def __init__(self, **env: str) -> None:
        whole = {
            "PATH": os.environ["PATH"],
            "VLLM_COMMAND": FAKE,
            "MODEL_NAME": "tiny",
            "VLLM_PORT": str(free_port()),
            **env,
        }
        self.launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
        self.events: list[Event] = []
        made = plan.make(whole, options.load(CATALOG))
        demand = Demand(lambda: 0, lambda: 0)
        self.run = EngineRun(made, whole, self.launcher, self.events.append, demand, first=True)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(100):
            while not condition():
                await asyncio.sleep(0.01)

    def close(self) -> None:
        self.launcher.close()


async def test_ready_then_ended_then_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Run(FAKE_VLLM="start=0.2")
    # In a test's process there are children of others, which are nobody's orphans.
    monkeypatch.setattr(one.launcher.orphans, "end", _nothing_left)
    await one.run.spawn()
    assert one.run.doing == "importing"
    running = asyncio.create_task(one.run.run())
    await one.until(lambda: bool(one.events))
    assert isinstance(one.events[0], Ready)
    assert one.events[0].seconds == one.run.phases["engine_start"] > 0.1
    assert one.run.doing is None
    pid = one.run.pid
    assert pid is not None
    psutil.Process(pid).kill()
    await running
    assert one.run.pid is None
    kinds = [event for event in one.events if not isinstance(event, Probed)]
    assert kinds[1] == Ended()
    assert isinstance(kinds[2], Exited)
    assert (kinds[2].code, kinds[2].kind, kinds[2].doing) == (-9, "killed", None)
    one.close()


async def test_a_start_that_fails_says_why_and_what_it_was_doing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = "vllm serve: error: argument --max-model-len: invalid value: 'x'"
    one = Run(FAKE_VLLM="exit=2", FAKE_VLLM_LINES=refused)
    monkeypatch.setattr(one.launcher.orphans, "end", _nothing_left)
    await one.run.spawn()
    async with asyncio.timeout(100):
        await one.run.run()
    assert one.events[0] == Ended()
    (exited,) = one.events[1:]
    assert isinstance(exited, Exited)
    assert (exited.code, exited.final, exited.doing) == (2, True, "importing")
    assert exited.cause.startswith("the engine refused its command line")
    one.close()


async def test_a_command_that_is_missing_is_refused() -> None:
    one = Run(VLLM_COMMAND="/nowhere/vllm")
    with pytest.raises(CommandNotFound):
        await one.run.spawn()
    assert (one.run.pid, one.run.doing, one.events) == (None, None, [])
    one.close()


async def test_what_is_killed_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Run(FAKE_VLLM="hang-start ignore-term")
    monkeypatch.setattr(one.launcher.orphans, "end", _nothing_left)
    await one.run.spawn()
    running = asyncio.create_task(one.run.run())
    one.run.terminate()
    await asyncio.sleep(0)
    one.run.kill()
    async with asyncio.timeout(100):
        await running
    assert isinstance(one.events[-1], lifecycle.Exited)
    assert not one.events[-1].left
    one.close()


async def _nothing_left() -> bool:
    return True
