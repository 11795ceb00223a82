"""What every child is started with."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from supervisor.errors import CommandNotFound
from supervisor.worker.logs import LogSink
from supervisor.worker.logs.speaker import Speaker
from supervisor.worker.process import orphans
from supervisor.worker.process.launcher import Launcher
from tests.client import PATIENCE
from tests.supervisor.worker.closing import closed

ASIDE = Speaker("aside")


async def test_children_are_known_until_they_are_released() -> None:
    launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
    seen: list[bytes] = []
    child = launcher.spawn(["sh", "-c", "echo $A; pwd"], {"A": "a"}, "/", observe=seen.append)
    assert launcher.children == (child,)
    assert await child.wait() == 0
    assert child.last_lines() == ["a", "/"]
    assert b"".join(seen) == b"a\n/\n"
    launcher.release(child)
    launcher.release(child)
    assert not launcher.children
    with pytest.raises(CommandNotFound):
        launcher.spawn(["/nowhere"], {}, "/")
    assert not launcher.children
    await closed(launcher)


async def test_one_aside_is_nobodys_to_wait_for_and_no_orphan() -> None:
    launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
    child = launcher.spawn_aside(["sleep", "60"], {"PATH": os.environ["PATH"]}, "/", ASIDE)
    assert launcher.children == ()
    launcher.orphans.reap(kill=True)
    assert child.alive()
    child.signal(signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        while not child.gone:
            await asyncio.sleep(0.01)
    with pytest.raises(CommandNotFound):
        launcher.spawn_aside(["/nowhere"], {}, "/", ASIDE)
    await closed(launcher)


async def test_one_aside_ends_with_us() -> None:
    launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
    child = launcher.spawn_aside(["sleep", "60"], {"PATH": os.environ["PATH"]}, "/", ASIDE)
    launcher.close()
    async with asyncio.timeout(PATIENCE):
        assert await child.ended() == -signal.SIGKILL


async def test_a_question_to_a_process() -> None:
    launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
    path = {"PATH": os.environ["PATH"]}
    assert await launcher.ask(["sh", "-c", "cat; pwd"], path, "/", b"given ") == b"given /\n"
    assert await launcher.ask(["/nowhere"], path, "/", b"") == b""
    await closed(launcher)


async def test_who_asks_no_more_leaves_nothing_behind() -> None:
    launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
    path = {"PATH": os.environ["PATH"]}
    task = asyncio.create_task(launcher.ask(["sleep", "60"], path, "/", b""))
    known = set(orphans.children(os.getpid()))
    async with asyncio.timeout(PATIENCE):
        while not (pids := set(orphans.children(os.getpid())) - known):
            await asyncio.sleep(0.01)
        task.cancel()
        while set(orphans.children(os.getpid())) & pids:
            await asyncio.sleep(0.01)
    assert task.cancelled()
    await closed(launcher)
