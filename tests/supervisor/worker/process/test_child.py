"""Children as process groups: real processes, real signals."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from supervisor.errors import (
    CommandNotExecutable,
    CommandNotFound,
    OutOfResources,
    SupervisorError,
)
from supervisor.worker.logs import LogSink
from supervisor.worker.process.child import Child
from supervisor.worker.process.guardian import Guardian
from tests.client import PATIENCE

#: Prints the number of a child in the same group that ignores SIGTERM, then waits. One text: with
#: PYTHONUNBUFFERED each argument of `print` is a write of its own, between which somebody may look.
PARENT = """
import subprocess, sys, time
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
print(f"child {subprocess.Popen([sys.executable, '-c', code]).pid}", flush=True)
time.sleep(300)
"""

#: Prints the number of a child in a session of its own that goes on with its output, then ends.
DAEMON = """
import subprocess, sys
code = "import time; time.sleep(300)"
daemon = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
print(f"daemon {daemon.pid}", flush=True)
"""


@pytest.fixture
def guard() -> Iterator[Guardian]:
    one = Guardian()
    yield one
    one.close()


def spawn(guard: Guardian, *command: str, cwd: str = "/") -> Child:
    null = os.open(os.devnull, os.O_WRONLY)
    return Child.spawn(command, dict(os.environ), cwd, LogSink(null), guard)


async def printed(child: Child, what: str) -> str:
    async with asyncio.timeout(PATIENCE):
        while not (lines := [line for line in child.last_lines() if what in line]):
            await asyncio.sleep(0.01)
    return lines[0]


@pytest.mark.parametrize(("code", "expected"), [("exit 3", 3), ("kill -9 $$", -9)])
async def test_the_exit_code_is_the_childs(guard: Guardian, code: str, expected: int) -> None:
    child = spawn(guard, "sh", "-c", f"echo last words; {code}")
    assert await child.wait() == expected
    assert child.last_lines() == ["last words"]
    assert child.gone
    assert not child.alive()


async def test_nothing_of_the_group_is_left(guard: Guardian) -> None:
    child = spawn(guard, sys.executable, "-c", PARENT)
    inner = int((await printed(child, "child")).split()[1])
    child.terminate()
    assert await child.wait() == -signal.SIGTERM
    assert not psutil.pid_exists(inner) or psutil.Process(inner).status() == psutil.STATUS_ZOMBIE


async def test_the_death_of_a_process_of_its_is_told(guard: Guardian) -> None:
    child = spawn(guard, sys.executable, "-c", PARENT)
    inner = int((await printed(child, "child")).split()[1])
    told = asyncio.Event()
    child.tell_of_deaths(told.set)
    os.kill(inner, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        await told.wait()
    child.signal(signal.SIGKILL)
    await child.wait()


async def test_output_that_is_held_elsewhere_holds_nobody_up(guard: Guardian) -> None:
    """A daemon outside its group, as Ray's, keeps the pipe open. The loop turns meanwhile."""
    child = spawn(guard, sys.executable, "-c", DAEMON)
    daemon = int((await printed(child, "daemon")).split()[1])
    try:
        waiting = asyncio.create_task(child.wait())
        async with asyncio.timeout(PATIENCE):
            while not child.gone:
                await asyncio.sleep(0)
        assert not waiting.done()
        assert await waiting == 0
    finally:
        os.kill(daemon, signal.SIGKILL)


async def test_signals_to_what_has_ended_are_no_error(guard: Guardian) -> None:
    child = spawn(guard, "true")
    await child.wait()
    child.tell(signal.SIGTERM)
    child.signal(signal.SIGKILL)


async def test_what_cannot_be_started_is_named(guard: Guardian, tmp_path: Path) -> None:
    missing = "/nowhere/vllm, or the interpreter in its first line, was not found"
    with pytest.raises(CommandNotFound, match=missing):
        spawn(guard, "/nowhere/vllm")
    (tmp_path / "vllm").write_text("#!/bin/sh\n")
    with pytest.raises(CommandNotExecutable, match="vllm is not executable"):
        spawn(guard, str(tmp_path / "vllm"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (BlockingIOError(errno.EAGAIN, "x"), "no more processes and threads are allowed here; "),
        (OSError(errno.ENOMEM, "x"), "no memory is left for another process"),
        (OSError(errno.EMFILE, "x"), "Too many open files"),
    ],
)
async def test_want_is_told_from_what_is_wrong(
    guard: Guardian, monkeypatch: pytest.MonkeyPatch, fault: OSError, said: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(OutOfResources, match=f"true could not be started: {said}"):
        spawn(guard, "true")
    fault.errno = errno.EIO
    with pytest.raises(SupervisorError, match="true could not be started: Input/output") as wrong:
        spawn(guard, "true")
    assert not isinstance(wrong.value, OutOfResources)


@pytest.mark.parametrize("at", [1, 2])
async def test_want_of_a_thread_leaves_nothing_open(
    guard: Guardian, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """The first one reads the output, the second one starts the program."""
    sink, start, begun = LogSink(os.open(os.devnull, os.O_WRONLY)), threading.Thread.start, []

    def few(thread: threading.Thread) -> None:
        begun.append(thread)
        if len(begun) == at:
            raise RuntimeError("can't start new thread")
        start(thread)

    before = psutil.Process().num_fds()
    monkeypatch.setattr(threading.Thread, "start", few)
    with pytest.raises(OutOfResources, match="no more processes and threads are allowed here"):
        Child.spawn(["true"], dict(os.environ), "/", sink, guard)
    async with asyncio.timeout(PATIENCE):
        while psutil.Process().num_fds() != before:
            await asyncio.sleep(0.01)


def oom_score(pid: str) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


async def test_the_kernel_takes_a_child_first(guard: Guardian) -> None:
    child = spawn(guard, "sleep", "300")
    assert oom_score(str(child.pid)) > oom_score("self")
    child.signal(signal.SIGKILL)
    await child.wait()
