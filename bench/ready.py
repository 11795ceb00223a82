"""What a start costs with us on top of it, and how soon after it the first job is asked for.

The stand-in engine takes long enough to start for the proxy to have imported what it needs, as any
real one does. Bare and supervised starts take turns.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import FAKE, Worker, free_port, until

_START_S = 8.0  # of the engine


@dataclass(frozen=True, slots=True)
class Ready:
    """Medians over `times` starts: seconds until it is ready, and milliseconds to a job."""

    times: int
    bare_s: float
    supervised_s: float
    first_poll_ms: float

    def line(self) -> str:
        """For people."""
        more = self.supervised_s - self.bare_s
        return (
            f"ready, median of {self.times}: bare engine {self.bare_s:.2f} s, supervised"
            f" {self.supervised_s:.2f} s ({more:+.2f} s); the first job is asked for"
            f" {self.first_poll_ms:.0f} ms after the engine is ready"
        )


def measure(times: int = 5) -> Ready:
    """Start each in turn, `times` times."""
    bare, supervised, polls = [], [], []
    with tempfile.TemporaryDirectory(prefix="bench-ready-") as folder, Platform() as platform:
        for number in range(times):
            bare.append(_bare())
            took, poll = _supervised(platform, Path(folder) / f"log-{number}", f"bench-{number}")
            supervised.append(took)
            polls.append(poll)
    return Ready(times, median(bare), median(supervised), median(polls))


def _bare() -> float:
    port = free_port()
    began = time.perf_counter()
    command = [*shlex.split(FAKE), "serve", "tiny", "--host=127.0.0.1", f"--port={port}"]
    with subprocess.Popen(
        command, env={"FAKE_VLLM": f"start={_START_S}"}, stderr=subprocess.DEVNULL
    ) as engine:
        try:
            until(lambda: _listens(port), 60, "the engine", 0.002)
            return time.perf_counter() - began
        finally:
            engine.terminate()


def _listens(port: int) -> bool:
    """Whether the stand-in is ready: it listens when it is, and answers /health at once."""
    try:
        with socket.create_connection(("127.0.0.1", port)):
            return True
    except OSError:
        return False


def _supervised(platform: Platform, log: Path, name: str) -> tuple[float, float]:
    """Seconds until the engine is ready, and milliseconds from there to the first poll."""
    began = time.perf_counter()
    worker = Worker(
        log,
        {
            **worker_environment(platform.root, worker_id=name),
            "FAKE_VLLM": f"start={_START_S}",
        },
    )
    try:
        until(lambda: _listens(worker.engine_port), 60, "the engine", 0.002)
        took, ready = time.perf_counter() - began, time.time()
        until(lambda: platform.polls(name), 30, "the first poll", 0.1)
        return took, (platform.polls(name)[0] - ready) * 1000
    finally:
        worker.stop()
        worker.end()
