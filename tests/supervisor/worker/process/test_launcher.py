"""What every child is started with."""

from __future__ import annotations

import os

import pytest

from supervisor.errors import CommandNotFound
from supervisor.worker.logs import LogSink
from supervisor.worker.process.launcher import Launcher


async def test_children_are_known_until_they_are_released() -> None:
    launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
    seen: list[bytes] = []
    child = await launcher.spawn(["sh", "-c", "echo $A; pwd"], {"A": "a"}, "/", observe=seen.append)
    assert launcher.children == (child,)
    assert await child.wait() == 0
    assert child.last_lines() == ["a", "/"]
    assert b"".join(seen) == b"a\n/\n"
    launcher.release(child)
    launcher.release(child)
    assert not launcher.children
    with pytest.raises(CommandNotFound):
        await launcher.spawn(["/nowhere"], {}, "/")
    assert not launcher.children
    launcher.close()
