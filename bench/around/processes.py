"""Starts the processes of a run, reads what they print, and ends them by their id."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

import psutil

_CPUCLOCK_SCHED = 2  # of clock ids: clock_getcpuclockid(3) makes them of a process's id so

ROOT = Path(__file__).resolve().parents[2]


class ProcessEndedError(Exception):
    """A process of the measurement ended, or said nothing in time."""


class Running:
    """A process that runs in a group of its own."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self._process = process
        self._name = name

    async def line(self, timeout_s: float) -> str:
        """The next line that it prints. Raises ProcessEndedError."""
        assert self._process.stdout  # noqa: S101 - for the type checker
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), timeout_s)
        except TimeoutError:
            raise ProcessEndedError(f"{self._name} said nothing for {timeout_s:.0f} s") from None
        if not line:
            raise ProcessEndedError(f"{self._name} ended")
        return line.decode().strip()

    async def ended(self) -> None:
        """Wait for its end. Raises ProcessEndedError then."""
        code = await self._process.wait()
        raise ProcessEndedError(f"{self._name} ended with {code}")

    def cpu_s(self) -> float:
        """User and system time of it and its children so far, those that ended too, in seconds."""
        process = psutil.Process(self._process.pid)
        total = 0.0
        for each in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess, OSError):
                times = each.cpu_times()
                total += times.children_user + times.children_system
                # The process's own clock counts nanoseconds; /proc/PID/stat only hundredths.
                total += time.clock_gettime(~each.pid << 3 | _CPUCLOCK_SCHED)
        return total

    def memory_mb(self) -> float:
        """Its resident memory at this moment."""
        return float(psutil.Process(self._process.pid).memory_info().rss) / 1e6

    def most_memory_mb(self) -> float:
        """The most resident memory that it has had."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3

    def descriptors(self) -> int:
        """Its open files and sockets."""
        return int(psutil.Process(self._process.pid).num_fds())

    async def stop(self) -> None:
        """End the process and all of its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


@contextlib.asynccontextmanager
async def running(
    name: str,
    command: list[str],
    environment: dict[str, str] | None = None,
    log: IO[bytes] | None = None,
    folder: Path = ROOT,
) -> AsyncIterator[Running]:
    """Start a command in `folder`; with `log` all it prints goes there.

    Raises:
        ProcessEndedError: there is no such command.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**_surroundings(), **(environment or {})},
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log or asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT if log else None,
            start_new_session=True,
        )
    except OSError as reason:
        raise ProcessEndedError(f"{command[0][:200]} cannot be run: {reason.strerror}") from None
    one = Running(process, name)
    try:
        yield one
    finally:
        await one.stop()


def _surroundings() -> dict[str, str]:
    """The environment, without what would lead a worker to a real platform.

    The folder of this interpreter comes first on the path, also for `env X=1 python ...`.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RUNPOD_")}
    own = str(Path(sys.executable).parent)
    return {**kept, "PATH": os.pathsep.join([own, kept.get("PATH", os.defpath)])}
