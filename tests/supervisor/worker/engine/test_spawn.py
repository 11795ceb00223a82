"""The start of an engine, before anybody watches it."""

from __future__ import annotations

import os
import re
from dataclasses import replace

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
    spawned = spawn(plan.make(env, None), env, launcher)
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
        spawn(missing, {}, launcher)
    assert isinstance(try_spawn(missing, {}, launcher), CommandNotFound)
    assert not launcher.children
    await closed(launcher)


@pytest.mark.parametrize(
    ("version", "own", "given"),
    [
        ("0.32.0", {}, r"~[0-9a-f]{16} "),
        ("0.10.2", {"VLLM_LOGGING_PREFIX": "<mine> "}, r"~[0-9a-f]{16} <mine> "),
        ("0.9.2", {"VLLM_LOGGING_PREFIX": "<mine> "}, r"<mine> "),
        ("0.6.2", {}, None),
        (None, {}, None),
    ],
)
async def test_its_logger_signs_where_this_version_can(
    version: str | None, own: dict[str, str], given: str | None
) -> None:
    """Each warns of a variable that it does not know."""
    shown: list[str] = []
    for _ in range(2):
        launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
        env = {"PATH": os.environ["PATH"], "VLLM_COMMAND": "sh -c env x", **own}
        made = replace(plan.make(env, None), vllm_version=version)
        spawned = spawn(made, env, launcher)
        assert await spawned.child.wait() == 0
        heard: list[str] = []
        spawned.child.listen(heard.append)
        prefix = [line.partition("=")[2] for line in heard if line.startswith("VLLM_LOGGING_")]
        assert bool(prefix) is (given is not None)
        assert all(re.fullmatch(given or "", one) for one in prefix)
        if spawned.signature:
            assert spawned.signature not in " ".join(spawned.child.last_lines())
        shown.append(spawned.signature)
        await closed(launcher)
    assert shown[0] != shown[1] or shown == ["", ""], "another one for each start"
