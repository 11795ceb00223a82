"""What a process prints as objects of the log: one for each line, and one for a whole traceback.

A bar of progress has no lines: of what a terminal would overwrite, the last is shown, and that
every few seconds.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ...link import log_lines
from .folds import Fold
from .sink import LogSink
from .speaker import ENGINE, Speaker
from .spoken import Said, Spoken
from .tracebacks import Traceback

_LINE_MOST = log_lines.MOST  # bytes of a line that is still without its end, and is no object
_QUIET = 0.2  # seconds without more, after which a message is whole
_OPEN_MOST = 5.0  # seconds that a line, or a traceback, without an end waits for it
_PROCESSES_MOST = 64  # whose messages may be open
_Speaker = tuple[str, str, bool]
_ERRORS = frozenset({"ERROR", "CRITICAL", "WARNING"})


@dataclass(slots=True)
class _Message:
    """One that more lines may belong to."""

    said: Said
    at: float  # Unix time
    began: float  # on the clock, when its first line came
    last: float  # the same of its last line
    lines: list[str]
    size: int
    traceback: Traceback = field(default_factory=Traceback)
    of_traceback: bool = False

    @property
    def until(self) -> float:
        """On the clock, when it is handed over if nothing more of it comes, and at the latest."""
        return min(self.last + _QUIET, self.began + _OPEN_MOST)

    def takes(self, said: Said, now: float) -> bool:
        """Whether `said` belongs to it; then it is a part of it."""
        if said.prefix != self.said.prefix or self.size + len(said.text) > log_lines.MOST:
            return False
        if not self.traceback.takes(said.text):
            return False
        self.of_traceback = True
        self.lines.append(said.text)
        self.size += len(said.text) + 1
        self.last = now
        return True

    def goes_on_with(self, said: Said, now: float) -> bool:
        """Whether `said` may be more of its traceback, though it has been handed over."""
        recent = now - self.last < _OPEN_MOST
        return recent and said.prefix == self.said.prefix and self.traceback.unfinished


class Wrapped:
    """Makes the bytes that a process prints objects in the sink. Used by one thread.

    Args:
        sink: takes the objects.
        speaker: who prints it; of a process of ours the signature stands before objects.
        fold: knows what is counted instead of shown; None where nothing is.
        clock: gives seconds and never goes back.
    """

    def __init__(
        self,
        sink: LogSink,
        speaker: Speaker,
        fold: Fold | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink = sink
        self._source = speaker.source
        self._signature = speaker.signature
        self._spoken = Spoken(speaker.signature) if speaker.source == ENGINE else None
        self._fold = fold
        self._clock = clock
        self._rest = b""
        self._lost = 0  # bytes of a line that is too long
        self._open_since = 0.0
        self._open: dict[_Speaker, _Message] = {}
        self._halves: dict[_Speaker, _Message] = {}  # handed over, with more to come
        self._masks = True

    def feed(self, data: bytes, *, masks: bool) -> None:
        """Take in what it printed; `masks`: without what is secret in it."""
        self._masks = masks
        now = self._clock()
        *lines, rest = data.split(b"\n")
        if lines:
            first, *lines = lines
            self._end_of_line(first)
            for line in lines:
                self._line(line)
            self._open_since = now
        elif not self._rest:
            self._open_since = now
        self._add(rest)

    @property
    def left(self) -> float | None:
        """Seconds until `look` has something to do, if nothing comes before; None for never."""
        times = [] if self._fold is None else [self._fold.left]
        times += [each.until - self._clock() for each in self._open.values()]
        if self._rest:
            times.append(self._open_since + _OPEN_MOST - self._clock())
        return max(0.0, min(found)) if (found := [x for x in times if x is not None]) else None

    def look(self) -> None:
        """Hand over what has waited long enough."""
        now = self._clock()
        for key in [key for key, each in self._open.items() if now >= each.until]:
            self._close(key)
        if self._rest and now - self._open_since >= _OPEN_MOST:
            self._end_of_line(b"")
        if self._fold is not None:
            self._fold.tell()

    def end(self) -> None:
        """Nothing more will come."""
        if self._rest or self._lost:
            self._end_of_line(b"")
        self._close_all()
        if self._fold is not None:
            self._fold.tell_rest()

    # --- lines ---

    def _add(self, more: bytes) -> None:
        """More of a line that has no end yet; of a bar what a terminal would show."""
        line = self._rest + more
        signed = line.find(self._signature.encode()) if self._signature else -1
        if b"\r" in more and signed < 0:
            line = line[line.rstrip(b"\r").rfind(b"\r") + 1 :]
        is_object = signed >= 0 and self._spoken is None
        self._rest = line[: signed + log_lines.LINE_MOST if is_object else _LINE_MOST]
        self._lost += len(line) - len(self._rest)

    def _end_of_line(self, last: bytes) -> None:
        self._add(last)
        line, lost = self._rest, self._lost
        self._rest, self._lost = b"", 0
        self._line(line + b"... (%d bytes left out)" % lost if lost else line)

    def _line(self, line: bytes) -> None:
        if self._fold is not None and self._fold.takes(line):
            return
        text = line.decode("utf-8", "backslashreplace").rstrip("\r")
        if self._spoken is not None:
            for said in self._spoken.read(text):
                self._said(said)
        elif self._signature:
            before, found, after = text.partition(self._signature)
            if before or not found:
                self._said(Said(before.rpartition("\r")[2]))
            if found:
                self._object(after)
        else:
            self._said(Said(text.rpartition("\r")[2]))

    def _object(self, text: str) -> None:
        """What a process of ours has made already; secrets that it does not know are masked."""
        self._close_all()
        line = ""
        with contextlib.suppress(ValueError, AttributeError, RecursionError):  # cut off by a kill
            fields = json.loads(text)
            if fields.keys() >= log_lines.ALWAYS:
                line = log_lines.encoded(log_lines.masked_fields(fields, self._sink.masked))
        if line:
            self._sink.write_line(line)
        else:
            self._said(Said(text))

    # --- messages ---

    def _said(self, said: Said) -> None:
        key, now = said.speaker, self._clock()
        if (message := self._open.get(key)) is not None:
            if message.takes(said, now):
                return
            self._close(key)
        if not said.text.strip():
            return
        half = self._halves.pop(key, None)
        message = _Message(said, time.time(), now, now, [said.message], len(said.message))
        if half is not None and half.goes_on_with(said, now):
            message.traceback = half.traceback
        message.of_traceback = message.traceback.takes(said.text)
        if message.of_traceback or (said.prefix and said.level in _ERRORS):
            if len(self._open) >= _PROCESSES_MOST:
                self._close_all()
            self._open[key] = message
        else:
            self._write(message)

    def _close(self, key: _Speaker) -> None:
        message = self._open.pop(key)
        if message.traceback.unfinished:
            if len(self._halves) >= _PROCESSES_MOST:
                self._halves.clear()
            self._halves[key] = message
        self._write(message)

    def _close_all(self) -> None:
        for key in list(self._open):
            self._close(key)

    def _write(self, message: _Message) -> None:
        said, text = message.said, "\n".join(message.lines).rstrip()
        is_error = message.of_traceback and not said.prefix and said.trusted
        more = {"process": said.process, "place": said.place}
        self._sink.write_line(
            log_lines.as_object(
                message.at,
                "ERROR" if is_error else said.level,
                self._source,
                self._sink.masked(text) if self._masks else text,
                {name: value for name, value in more.items() if value},
            )
        )
