"""Starts real workers for tests, and sees that nothing of them is left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import re
import signal
import socket
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from supervisor.catalog import versions
from tests import client
from tests.client import PATIENCE

ROOT = Path(__file__).parent.parent
FAKE_VLLM = ROOT / "tests" / "fake_vllm"
FAKE = f"{sys.executable} {FAKE_VLLM}"
CATALOG = versions.FOLDER / "vllm-0.32.0.json"

T = TypeVar("T")


#: Which of the processes that run tests beside each other this one is, and how many they are.
_ONE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_OF = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
#: Below the ports that the kernel gives to connections: none of those is to come in between. Each
#: process has its own of them, so that no two are given the same one.
_PORTS = range(15_000 + _ONE, 32_000, _OF)
_handed_out: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, and that nobody else in this process was given."""
    while True:
        number = random.choice(_PORTS)  # noqa: S311 - guards nothing
        if number in _handed_out:
            continue
        _handed_out.add(number)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("0.0.0.0", number))  # noqa: S104 - as an engine would
            return number


def until(
    condition: Callable[[], T], seconds: float = PATIENCE, what: str = "it", pause: float = 0.02
) -> T:
    """Wait until `condition` is true, looking every `pause` seconds; what it then is.

    `seconds` is for what may take longer than PATIENCE, which is the least.
    """
    seconds = max(seconds, PATIENCE)
    end = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(pause)


def unread(fd: int) -> int:
    """How many bytes wait in a pipe."""
    found = fcntl.ioctl(fd, termios.FIONREAD, bytes(4))
    return int.from_bytes(found, sys.byteorder)


class Worker:
    """`python -m supervisor` as a user would start it, its log in a file.

    `unread`: its log goes into a pipe that nobody reads. `before`: a command that runs it.
    `program`: another module than `supervisor`, with its arguments.
    """

    def __init__(
        self,
        log: Path,
        environment: Mapping[str, str] | None = None,
        *,
        unread: bool = False,
        before: Sequence[str] = (),
        program: Sequence[str] = ("supervisor",),
    ) -> None:
        self.engine_port, self.control_port = free_port(), free_port()
        self.mark = uuid.uuid4().hex
        self.log = log
        env = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "VLLM_COMMAND": FAKE,
            "ENGINE_CATALOG": str(CATALOG),
            "MODEL_NAME": "tiny",
            "PREFETCH": "0",
            "VLLM_PORT": str(self.engine_port),
            "PORT_HEALTH": str(self.control_port),
            "RUNPOD_MARK": self.mark,
            "WARMUP": "0",  # what a test counts is its own; "" is the mode's default
            **(environment or {}),
        }
        self.env = {name: value for name, value in env.items() if value}
        log.touch()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*before, sys.executable, "-m", *program],
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if unread else output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def engine_url(self) -> str:
        """Where the engine is."""
        return f"http://127.0.0.1:{self.engine_port}"

    def ping(self) -> int | None:
        """The status of /ping; None while nobody answers."""
        try:
            url = f"http://127.0.0.1:{self.control_port}/ping"
            return client.get(url).status_code
        except httpx.HTTPError:
            return None

    def status(self) -> dict[str, Any]:
        """The body of /status."""
        url = f"http://127.0.0.1:{self.control_port}/status"
        found: dict[str, Any] = client.get(url).json()
        return found

    def until_ready(self, seconds: float = PATIENCE) -> None:
        """Wait until /ping says 200."""

        def ready() -> bool:
            assert self.process.poll() is None, self.text()
            return self.ping() == 200

        until(ready, seconds, f"readiness of\n{self.text()}\n")

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = PATIENCE) -> int:
        """Signal the worker and wait `seconds` at most; its exit code."""
        self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait `seconds` at most for the worker's end; its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"the worker did not end within {seconds} s:\n{self.text()}"
            ) from None

    def text(self) -> str:
        """What it has logged so far."""
        return self.log.read_text(errors="replace")

    def left(self) -> list[psutil.Process]:
        """Every process that is left of it, by the mark in its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("RUNPOD_MARK") == self.mark:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def engine_pid(self) -> int:
        """The process that was spawned last as the engine."""
        return int(re.findall(r"engine spawned, pid (\d+)", self.text())[-1])

    def end(self) -> None:
        """Kill whatever is left."""
        for process in self.left():
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.kill()
        self.process.wait(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()
