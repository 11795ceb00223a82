"""What an engine's start is doing, and for how long: read from the lines that vLLM prints.

A phase begins with its first line, and phases never go back, because an engine with several
processes prints the same line several times. Only a download may interrupt another phase; vLLM's
own prints nothing, so `download` looks for it on the disk. What runs beside the engine says itself
when it begins and ends. All of this is for people: nothing else depends on it.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from ...records import dataclass, field, replace
from ...status.parts import Part, Times

log = logging.getLogger("supervisor")

_TELL_EVERY = 5.0  # seconds between two lines

#: In their order, with what begins them in vLLM's log (0.6 to 0.33).
_BEGINS = (
    ("imports", r"(?!)"),  # with the spawn
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
    ("server", r"init engine \(|Starting vLLM (?:API )?server|Started server process"),
    ("warmup", r"(?!)"),  # when `begin` says so
)
# Patterns are compiled with the first line that an engine prints: its spawn does not wait for it.

_LOADED = r"Loading (?:model )?weights took|Model loading took"
#: What ends a download, which interrupts the imports (ours) or the weights (vLLM's own).
_DOWNLOADED = r"^downloaded \S+, commit|Time spent downloading|Loading \w+ checkpoint"
_TRANSFORMED = r"Dynamo bytecode transform time: (\d+\.\d+) s"  # no line says that it begins
_NAMES = tuple(name for name, _ in _BEGINS)
_ANY = "|".join(f"(?P<{name}>{pattern})" for name, pattern in _BEGINS)

# model.safetensors:  45%|####      | 1.2G/2.5G [00:10<00:12, 120MB/s]
_BAR = r"(\d{1,3})%[^\[]*\[[^,\]]*, *([^\]]+)\]"
# org/name: 45 % of 2.50 GB, 120.0 MB/s
_OURS = r"^\S+: (\d{1,3}) % of [\d.]+ [GM]B, ([\d.]+ MB/s)$"
_LONGEST = 4096  # characters of a line that are looked at

PREFETCH = "prefetch"  # a download beside the imports
READ = "read"  # weights into the page cache, beside the imports
_WORDS = {
    "imports": "importing",
    "download": "downloading the model",
    "weights": "loading the weights",
    "compile": "compiling",
    "memory": "measuring the memory",
    "graphs": "capturing graphs",
    "server": "starting the server",
    "warmup": "warming up",
    PREFETCH: "downloading the model",
    READ: "reading the weights ahead",
}


@dataclass(slots=True)
class Start:
    """One start of the engine. Fed by the thread that reads its log, read by the worker's loop.

    `seconds` are of phases that are over, in their order; `parts` also has when each began, and
    what ran beside them.
    """

    clock: Callable[[], float] = time.monotonic
    phase: str = "imports"
    seconds: dict[str, float] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    progress: str | None = None
    over: bool = False  # the engine is ready
    loaded: bool = False  # its weights: they were all there
    _interrupted: str = ""  # by a download
    _beside: dict[str, float] = field(default_factory=dict)  # what runs, and since when
    _rest: str = ""
    _stopped: float | None = None  # when it failed
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

    def begin(self, name: str) -> None:
        """Something begins that prints nothing: "warmup", a phase, or what runs beside the phases.

        Called from any thread. What has begun already, or begins after the start, changes nothing.
        """
        with self._lock:
            if self.over:
                return
            if name in _NAMES:
                self._enter(name)
            else:
                self._beside.setdefault(name, self.clock())

    def end(self, name: str) -> None:
        """What ran beside the phases is over; a phase ends with the next one, or with the start."""
        with self._lock:
            self._end(name)

    def _end(self, name: str) -> None:
        if name == PREFETCH and self.phase != "download":
            self.progress = None
        if (at := self._beside.pop(name, None)) is not None:
            self.parts = [*self.parts, Part(name, at - self.began, self.clock() - at)]

    def downloading(self, progress: str) -> None:
        """A download is seen that nobody prints, this far."""
        with self._lock:
            self._interrupt()
            if self.phase == "download" or PREFETCH in self._beside:
                self.progress = progress

    def downloaded(self) -> None:
        """It is over."""
        with self._lock:
            self._resume()

    def _line(self, line: str) -> None:
        found = re.search(_ANY, line)
        if loads := re.search(_LOADED, line):
            self.loaded = True
        if loads or re.search(_DOWNLOADED, line):
            self._resume()
        elif found is not None and found.lastgroup == "download":
            self._interrupt()
        if found is not None and found.lastgroup not in {None, "download"}:
            self._enter(str(found.lastgroup))
        if self.phase == "compile" and (took := re.search(_TRANSFORMED, line)):
            self._began_earlier(self._phase_began - self.clock() + float(took[1]))
        bar = re.search(_OURS, line) or re.search(_BAR, line)
        if bar and self.phase in {"download", "weights"}:
            self.progress = f"{bar[1]} %, {bar[2].strip()}"

    def _interrupt(self) -> None:
        # Beside a prefetch the engine goes on importing, and waits when it wants the weights.
        waits = {"weights"} if PREFETCH in self._beside else {"imports", "weights"}
        if self.phase in waits and not self.over:
            self._interrupted = self.phase
            self._change("download")

    def _resume(self) -> None:
        if self.phase == "download":
            self._change(self._interrupted)

    def _enter(self, phase: str) -> None:
        current = self._interrupted if self.phase == "download" else self.phase
        if _NAMES.index(phase) > _NAMES.index(current):
            self._change(phase)

    def _began_earlier(self, seconds: float) -> None:
        at = max((at for at, part in enumerate(self.parts) if part.name in _NAMES), default=-1)
        if at < 0 or not 0 < seconds <= (last := self.parts[at]).seconds:
            return
        shorter = replace(last, seconds=last.seconds - seconds)
        self.parts = [*self.parts[:at], shorter, *self.parts[at + 1 :]]
        self.seconds = {**self.seconds, last.name: self.seconds[last.name] - seconds}
        self._phase_began -= seconds

    def _change(self, phase: str) -> None:
        self._count()
        self.phase, self.progress = phase, None

    def _count(self) -> None:
        now = self.clock()
        part = Part(self.phase, self._phase_began - self.began, now - self._phase_began)
        counted = {**self.seconds, self.phase: self.seconds.get(self.phase, 0.0) + part.seconds}
        self.parts = [*self.parts, part]
        self.seconds = {name: counted[name] for name in _NAMES if name in counted}
        self._phase_began = now

    def ended(self) -> None:
        """The engine is ready, the last phase over; what still runs beside it counts until now."""
        with self._lock:
            self._count()
            for name in list(self._beside):
                self._end(name)
            self.over = True

    def failed(self) -> None:
        """The engine has ended: nothing of its start goes on."""
        with self._lock:
            self._stopped = self.clock()

    def times(self, spawned_after: float | None) -> Times:
        """How long it took, or has taken by now; until it failed, where it did.

        Args:
            spawned_after: seconds that the worker needed for the spawn; None where this is not its
                first start.
        """
        with self._lock:
            phases, parts = self._so_far()
        engine = {"engine_start": sum(phases.values())}
        if spawned_after is None:
            return Times({**phases, **engine}, parts)
        later = [replace(part, begin=part.begin + spawned_after) for part in parts]
        spawn = Part("spawn", 0.0, spawned_after)
        return Times({spawn.name: spawned_after, **phases, **engine}, [spawn, *later])

    def _so_far(self) -> tuple[Mapping[str, float], Sequence[Part]]:
        """The seconds of its phases, and its parts, with those that are under way."""
        if self.over:
            return self.seconds, self.parts
        now = self.clock() if self._stopped is None else self._stopped
        running = {self.phase: self._phase_began, **self._beside}
        parts = [Part(name, at - self.began, now - at) for name, at in running.items()]
        seconds = self.seconds.get(self.phase, 0.0) + parts[0].seconds
        return {**self.seconds, self.phase: seconds}, [*self.parts, *parts]

    @property
    def words(self) -> str:
        """What it is doing and what runs beside it, with how far it is where that is known."""
        with self._lock:
            doing = [self.phase, *self._beside]
            progress = f" ({self.progress})" if self.progress else ""
        told = dict.fromkeys(_WORDS.get(name, name) for name in doing)
        return " and ".join(told) + progress


async def tell(start: Start) -> None:
    """Log every few seconds what the engine is doing."""
    import asyncio  # after the spawn

    while True:
        await asyncio.sleep(_TELL_EVERY)
        log.info("engine is %s, %.0f s so far", start.words, start.clock() - start.began)
