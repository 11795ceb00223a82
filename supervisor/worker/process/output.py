"""What a child and its descendants print: handed on, its last lines kept, its lines heard.

As text it is handed on without the signature of its own logger (see `diagnosis.voice`).
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ..logs import LogSink
from ..logs.speaker import SUPERVISOR, Speaker

if TYPE_CHECKING:
    from ..logs.folds import Fold

_CHUNK = 64 * 1024  # bytes in one read, and of a line that does not end
_TAIL_LINES = 200  # enough to hold a traceback of vLLM with the lines that say why

log = logging.getLogger("supervisor")


class Written(Protocol):
    """Hands on what a process prints, in one of the log's forms."""

    def feed(self, data: bytes, *, masks: bool) -> None:
        """Take in some of it; `masks`: no secret of it is handed on."""

    @property
    def left(self) -> float | None:
        """Seconds until `look` has something to do, if nothing comes before; None for never."""

    def look(self) -> None:
        """Hand over what has waited long enough."""

    def end(self) -> None:
        """Nothing more will come."""


class Output:
    """A pipe for a child's output: read by a thread, its tail kept, handed on.

    While it is observed no secret is handed on, and the signature never; as text everything else is
    as it came.

    Args:
        sink: where it is handed on to.
        observe: called with the bytes as they are handed on as text, by the reading thread.
        speaker: whose output it is.

    Raises:
        OSError: there was no descriptor for it.
        RuntimeError: there was no thread for it.
    """

    def __init__(
        self,
        sink: LogSink,
        observe: Callable[[bytes], None] | None = None,
        speaker: Speaker = SUPERVISOR,
    ) -> None:
        self.tail = Tail(signature=speaker.signature)
        self._speaker = speaker
        self._plain = Unsigned(speaker.signature.encode())
        #: Called with the bytes by the reading thread; None once nobody wants to know.
        self.observe = observe
        self._sink = sink
        self._read_fd, self.write_fd = os.pipe()
        self._thread = threading.Thread(target=self._read_all, name="log-reader", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            os.close(self._read_fd)
            os.close(self.write_fd)
            raise

    def spawned(self) -> None:
        """Close our copy of the child's end: the pipe ends with the last process that has it."""
        os.close(self.write_fd)

    @property
    def over(self) -> bool:
        """Whether the pipe has ended and is read, so that the tail is whole."""
        return not self._thread.is_alive()

    def join(self, timeout: float) -> None:
        """Wait until it is over; `timeout` seconds at most."""
        self._thread.join(timeout)

    def _read_all(self) -> None:
        with contextlib.closing(os.fdopen(self._read_fd, "rb", buffering=0)) as pipe:
            data = os.read(pipe.fileno(), _CHUNK)
            if not data:
                return
            # Only now: what reads lines is imported once an engine is spawned.
            written = self._written()
            while data:
                self.tail.feed(data)
                self._hand_on(written, data)
                data = _read(pipe.fileno(), written)
            self._hand_on(written, b"", over=True)
            written.end()

    def _written(self) -> Written:
        fold = _fold(self._speaker)
        if not self._sink.as_json:
            from ..logs.plain import Plain

            return Plain(self._sink, fold)
        from ..logs.wrapped import Wrapped

        return Wrapped(self._sink, self._speaker, fold)

    def _hand_on(self, written: Written, data: bytes, *, over: bool = False) -> None:
        plain = self._plain.feed(data) + (self._plain.rest() if over else b"")
        observe = self.observe
        if observe is not None and plain:
            observe(plain)
        given = data if self._sink.as_json else plain
        if given:
            written.feed(given, masks=observe is not None)
        written.look()


def _read(fd: int, written: Written) -> bytes:
    """More of it; what has waited long enough is handed on meanwhile."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while True:
        left = written.left
        if poll.poll(None if left is None else math.ceil(left * 1000)):
            return os.read(fd, _CHUNK)
        written.look()


def _fold(speaker: Speaker) -> Fold | None:
    """What of its lines is counted instead of shown; None where nothing is."""
    folds: list[Fold] = []
    if speaker.folds:
        from ..logs.access import Access

        folds.append(Access(_tell))
    if speaker.exports:
        from ..logs.exports import Exports

        folds.append(Exports(_warn, speaker.exports))
    if len(folds) < 2:
        return folds[0] if folds else None
    from ..logs.folds import Folds

    return Folds(*folds)


def _tell(line: str) -> None:
    log.info("%s", line)


def _warn(line: str) -> None:
    log.warning("%s", line)


class Unsigned:
    """Takes a signature out of a stream of bytes, wherever that is cut."""

    def __init__(self, signature: bytes) -> None:
        self._signature = signature
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be handed on of it; the beginning of a signature at the end is held back."""
        if not self._signature:
            return data
        data = (self._held + data).replace(self._signature, b"")
        begins = (n for n in range(len(self._signature) - 1, 0, -1) if self._ends_with(data, n))
        held = next(begins, 0)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def rest(self) -> bytes:
        """What was held back, at the end of the stream."""
        held, self._held = self._held, b""
        return held

    def _ends_with(self, data: bytes, length: int) -> bool:
        return data.endswith(self._signature[:length])


class Tail:
    """The last lines of a stream of bytes; each line is heard by whoever listens."""

    def __init__(self, lines: int = _TAIL_LINES, signature: str = "") -> None:
        self._lines: deque[str] = deque(maxlen=lines)
        self._rest = b""
        self._signature = signature
        self._hear: Callable[[str], None] | None = None
        self._lock = threading.Lock()

    def feed(self, data: bytes) -> None:
        """Add bytes; a line may come in pieces."""
        *complete, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-_CHUNK:]
        lines = [line.decode(errors="replace").rstrip("\r") for line in complete]
        with self._lock:
            self._lines.extend(lines)
            if self._hear is not None:
                for line in lines:
                    self._hear(line)

    def listen(self, hear: Callable[[str], None]) -> None:
        """Let `hear` have every line, from the last ones on, with its signature."""
        with self._lock:
            for line in self._lines:
                hear(line)
            self._hear = hear

    def lines(self) -> list[str]:
        """The last lines, oldest first, without signatures; the last one may be unfinished."""
        with self._lock:
            rest = [self._rest.decode(errors="replace")] if self._rest else []
            lines = [*self._lines, *rest]
        return [line.replace(self._signature, "") for line in lines] if self._signature else lines
