"""The start of an engine, before anybody watches it."""

from __future__ import annotations

import os

import pytest

from supervisor.command import plan
from supervisor.errors import CommandNotFound
from supervisor.worker.engine.spawn import spawn, try_spawn
from supervisor.worker.logs import LogSink
from supervisor.worker.process.launcher import Launcher
from tests.supervisor.worker.closing import closed


async def test_it_runs_in_its_own_environment_and_its_log_is_read() -> None:
    launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
    env = {
        "PATH": os.environ["PATH"],
        "VLLM_COMMAND": "sh -c 'echo $A-$WORKER_MODE; echo Starting to load model' x",
        "A": "b",
        "WORKER_MODE": "plain",
    }
    spawned = await spawn(plan.make(env, None), env, launcher)
    assert spawned.env == {"PATH": env["PATH"], "A": "b"}
    assert spawned.own_seconds > 0
    assert await spawned.child.wait() == 0
    assert spawned.child.last_lines()[0] == "b-"
    assert spawned.start.phase == "weights"
    await closed(launcher)


async def test_a_command_that_is_missing_is_refused() -> None:
    launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
    missing = plan.make({"VLLM_COMMAND": "/nowhere/vllm"}, None)
    with pytest.raises(CommandNotFound):
        await spawn(missing, {}, launcher)
    assert isinstance(await try_spawn(missing, {}, launcher), CommandNotFound)
    assert not launcher.children
    await closed(launcher)
