"""What an engine's start is doing, and for how long: read from the lines that vLLM prints.

A phase begins with the first line that belongs to it, and phases never go back: an engine with
several processes prints the same line several times. Nothing depends on it but what people are told
and which phase a start hangs in.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: In their order, with what begins them in vLLM's log (0.6 to 0.33) and in the hub's progress bars.
_BEGINS = (
    ("imports", r"$^"),  # with the spawn
    (
        "download",
        r"Fetching \d+ files|Downloading|Time spent downloading|\.(?:safetensors|bin): +\d",
    ),
    ("weights", r"Starting to load model|Loading model weights|Loading safetensors checkpoint"),
    (
        "compile",
        (
            r"(?:Starting|for vLLM's) torch\.compile|Dynamo bytecode transform|Compiling a graph"
            r"|Warming up model for the compilation"
        ),
    ),
    ("memory", r"Available KV cache memory|KV cache size:|# (?:GPU|CPU|cuda|cpu) blocks"),
    ("graphs", r"Capturing (?:the model for )?CUDA graph|Capturing cudagraphs"),
    (
        "server",
        r"init engine \(|Starting vLLM (?:API )?server|Started server process",
    ),
)
_NAMES = tuple(name for name, _ in _BEGINS)
_ANY = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _BEGINS))

# model.safetensors:  45%|####      | 1.2G/2.5G [00:10<00:12, 120MB/s]
_BAR = re.compile(r"(\d{1,3})%[^\[]*\[[^,\]]*, *([^\]]+)\]")
_LONGEST = 4096  # characters of a line that are looked at

_WIDTH = 30  # characters of the longest bar

_WORDS = {
    "imports": "importing",
    "download": "downloading the model",
    "weights": "loading the weights",
    "compile": "compiling",
    "memory": "measuring the memory",
    "graphs": "capturing graphs",
    "server": "starting the server",
}


@dataclass(slots=True)
class Start:
    """One start of the engine. Fed by the thread that reads its log, read by the worker's loop."""

    clock: Callable[[], float] = time.monotonic
    phase: str = "imports"
    seconds: dict[str, float] = field(default_factory=dict)  # of phases that are over
    progress: str | None = None
    over: bool = False  # the engine is ready
    _rest: str = ""
    began: float = field(init=False)
    _phase_began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self._phase_began = self.clock()

    def feed(self, data: bytes) -> None:
        """Take in bytes of the log; progress bars end their lines with a carriage return."""
        *lines, rest = re.split(r"[\r\n]", self._rest + data.decode(errors="replace"))
        self._rest = rest[-_LONGEST:]
        for line in lines:
            self._line(line[:_LONGEST])

    def _line(self, line: str) -> None:
        if (bar := _BAR.search(line)) and self.phase in {"download", "weights"}:
            self.progress = f"{bar[1]} %, {bar[2].strip()}"
        found = _ANY.search(line)
        if found is not None and found.lastgroup is not None:
            self._enter(found.lastgroup)

    def _enter(self, phase: str) -> None:
        if _NAMES.index(phase) <= _NAMES.index(self.phase):
            return
        now = self.clock()
        self.seconds[self.phase] = now - self._phase_began
        self.phase, self._phase_began, self.progress = phase, now, None

    def ended(self) -> None:
        """The engine is ready: the last phase is over."""
        self.seconds[self.phase] = self.clock() - self._phase_began
        self.over = True

    @property
    def words(self) -> str:
        """What it is doing, with how far it is where that is known."""
        return _WORDS[self.phase] + (f" ({self.progress})" if self.progress else "")


def table(phases: Mapping[str, float]) -> list[str]:
    """The phases of a start with their seconds, a bar for each, and their sum; in lines."""
    total = sum(phases.values())
    lines = [
        f"{name:<10} {seconds:7.1f} s  {_bar(seconds / total if total else 0.0)}".rstrip()
        for name, seconds in phases.items()
    ]
    return [*lines, f"{'in all':<10} {total:7.1f} s"]


def _bar(share: float) -> str:
    return "#" * round(share * _WIDTH)


def own_seconds() -> float:
    """For how long this process has been running; the kernel's count is in hundredths."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        up = float(Path("/proc/uptime").read_text().split()[0])
        return max(0.0, up - int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return 0.0
