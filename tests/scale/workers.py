"""Starts the workers of a run, and ends them; looks at what their processes use."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Self

import psutil

from tests.client import PATIENCE
from tests.emulator.environment import worker_environment
from tests.processes import ROOT, Worker

_PROCESSES = 2  # for all light workers
_PING = "10000"  # ms; the platform's default


class Workers:
    """Light ones, a few processes for all of them, and real ones.

    Args:
        root: the platform's URL.
        folder: for what the real ones log.
        light: how many.
        real: how many.
        concurrency: MAX_CONCURRENCY of a real one.
    """

    def __init__(self, root: str, folder: Path, *, light: int, real: int, concurrency: int) -> None:
        self._root = root
        self._folder = folder
        self._concurrency = concurrency
        self._real = [self._start_real(number) for number in range(real)]
        self._light: list[subprocess.Popen[str]] = []
        processes = min(_PROCESSES, light)
        for number in range(processes):
            first = light * number // processes
            self._start_light(first, light * (number + 1) // processes - first)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        for light in self._light:
            light.kill()
            light.communicate()
        for real in self._real:
            real.end()

    @property
    def pids(self) -> dict[str, list[int]]:
        """Their processes, by their kind."""
        light, real = [one.pid for one in self._light], [one.process.pid for one in self._real]
        return {"light workers": light, "real workers": real}

    def until_ready(self) -> None:
        """Wait for the engines of the real ones."""
        for worker in self._real:
            worker.until_ready()

    def end(self) -> Counter[int]:
        """End the light ones; how often each job was run, by them and by the real ones' engines."""
        runs: Counter[int] = Counter()
        for light in self._light:
            light.send_signal(signal.SIGTERM)
            told, _ = light.communicate(timeout=PATIENCE)
            runs.update({int(number): count for number, count in json.loads(told).items()})
        for number in range(len(self._real)):
            if (done := self._done(number)).exists():
                runs.update(map(int, done.read_text().split()))
        return runs

    def _start_real(self, number: int) -> Worker:
        self._done(number).unlink(missing_ok=True)  # of an earlier run
        environment = {
            **worker_environment(self._root, worker_id=f"real-{number}"),
            "RUNPOD_PING_INTERVAL": _PING,
            "MAX_CONCURRENCY": str(self._concurrency),
            "FAKE_VLLM_DONE": str(self._done(number)),
        }
        return Worker(self._folder / f"worker-{number}.log", environment)

    def _start_light(self, first: int, count: int) -> None:
        command = [sys.executable, "-m", "tests.scale.light", self._root, str(first), str(count)]
        self._light.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))

    def _done(self, number: int) -> Path:
        return self._folder / f"done-{number}"


def cpu_s(pid: int) -> float:
    """Seconds that a process and its children have used so far, those that ended too."""
    total = 0.0
    for each in _tree(pid):
        with contextlib.suppress(psutil.Error):
            total += sum(each.cpu_times()[:4])
    return total


def memory_mb(pid: int) -> float:
    """Their resident memory; what they share counts for each."""
    total = 0.0
    for each in _tree(pid):
        with contextlib.suppress(psutil.Error):
            total += each.memory_info().rss / 1e6
    return total


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
