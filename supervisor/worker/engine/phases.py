"""What an engine's start is doing, and for how long: read from the lines that vLLM prints.

A phase begins with its first line, and phases never go back, because an engine with several
processes prints the same line several times. Only a download may interrupt another phase; vLLM's
own prints nothing, so `download` looks for it on the disk. All of this is for people: nothing else
depends on it.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: In their order, with what begins them in vLLM's log (0.6 to 0.33).
_BEGINS = (
    ("imports", r"$^"),  # with the spawn
    ("download", r"^downloading \S+$|Fetching \d+ files|\.(?:safetensors|bin): +\d"),
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
#: What ends a download, which interrupts the imports (ours) or the weights (vLLM's own).
_DOWNLOADED = re.compile(
    r"^downloaded \S+, commit|Time spent downloading|Loading (?:safetensors|pt) checkpoint"
    r"|Loading weights took"
)
_NAMES = tuple(name for name, _ in _BEGINS)
_ANY = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _BEGINS))

# model.safetensors:  45%|####      | 1.2G/2.5G [00:10<00:12, 120MB/s]
_BAR = re.compile(r"(\d{1,3})%[^\[]*\[[^,\]]*, *([^\]]+)\]")
# org/name: 45 % of 2.50 GB, 120.0 MB/s
_OURS = re.compile(r"^\S+: (\d{1,3}) % of [\d.]+ GB, ([\d.]+ MB/s)$")
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
    """One start of the engine. Fed by the thread that reads its log, read by the worker's loop.

    `seconds` are of phases that are over, in their order.
    """

    clock: Callable[[], float] = time.monotonic
    phase: str = "imports"
    seconds: dict[str, float] = field(default_factory=dict)
    progress: str | None = None
    over: bool = False  # the engine is ready
    _interrupted: str = ""  # by a download
    _rest: str = ""
    began: float = field(init=False)
    _phase_began: float = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.began = self._phase_began = self.clock()

    def feed(self, data: bytes) -> None:
        """Take in bytes of the log; progress bars end their lines with a carriage return."""
        *lines, rest = re.split(r"[\r\n]", self._rest + data.decode(errors="replace"))
        self._rest = rest[-_LONGEST:]
        with self._lock:
            for line in lines:
                self._line(line[:_LONGEST])

    def downloading(self, progress: str) -> None:
        """A download is seen that nobody prints, this far."""
        with self._lock:
            self._interrupt()
            if self.phase == "download":
                self.progress = progress

    def downloaded(self) -> None:
        """It is over."""
        with self._lock:
            self._resume()

    def _line(self, line: str) -> None:
        found = _ANY.search(line)
        if _DOWNLOADED.search(line):
            self._resume()
        elif found is not None and found.lastgroup == "download":
            self._interrupt()
        if found is not None and found.lastgroup not in {None, "download"}:
            self._enter(str(found.lastgroup))
        bar = _OURS.search(line) or _BAR.search(line)
        if bar and self.phase in {"download", "weights"}:
            self.progress = f"{bar[1]} %, {bar[2].strip()}"

    def _interrupt(self) -> None:
        if self.phase in {"imports", "weights"} and not self.over:
            self._interrupted = self.phase
            self._change("download")

    def _resume(self) -> None:
        if self.phase == "download":
            self._change(self._interrupted)

    def _enter(self, phase: str) -> None:
        current = self._interrupted if self.phase == "download" else self.phase
        if _NAMES.index(phase) > _NAMES.index(current):
            self._change(phase)

    def _change(self, phase: str) -> None:
        self._count()
        self.phase, self.progress = phase, None

    def _count(self) -> None:
        now = self.clock()
        counted = {**self.seconds}
        counted[self.phase] = counted.get(self.phase, 0.0) + now - self._phase_began
        self.seconds = {name: counted[name] for name in _NAMES if name in counted}
        self._phase_began = now

    def ended(self) -> None:
        """The engine is ready: the last phase is over."""
        with self._lock:
            self._count()
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
