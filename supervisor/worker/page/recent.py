"""The last of the log, for those who look on: kept as bytes, made into lines for them alone."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from ...link import log_lines
from ...secrets import masked

_KEPT_MOST = 64 * 1024  # bytes
_LINES_MOST = 200
#: Characters of a long line that are shown, of its beginning and of its end: that of a traceback
#: says why.
_HEAD, _TAIL = 600, 1400
_SHORT = 8 * 1024  # bytes of an object that is kept as it is
_LEFT_OUT = " ... "

#: Colours and the like of a terminal.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")


class Recent:
    """Fed by whoever writes the log, from any thread; costs nearly nothing.

    Args:
        secrets: what no line shows, as of now. The engine's own lines may have them.
    """

    def __init__(self, secrets: Callable[[], Iterable[str]] = tuple) -> None:
        self._secrets = secrets
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._end = 0  # bytes of all the log so far
        self._lock = threading.Lock()

    def feed(self, data: bytes) -> None:
        """Take in what is written to the log; an object comes as one piece."""
        if len(data) > _SHORT:
            data = self._shortened(data)
        with self._lock:
            self._end += len(data)
            piece = data[-_KEPT_MOST:]
            self._pieces.append(piece)
            self._size += len(piece)
            while self._size > _KEPT_MOST:
                self._size -= len(self._pieces.popleft())

    def since(self, place: int) -> tuple[bytes, int]:
        """What was written behind `place`, a number of bytes; and its end.

        Of what is not kept any more nothing is left, not even the rest of a line.
        """
        with self._lock:
            data, end = b"".join(self._pieces), self._end
        if place >= end:
            return b"", end
        kept = len(data) - (end - place)
        return data[kept:] if kept >= 0 else data[data.find(b"\n") + 1 :], end

    def cleaned(self, text: str) -> str:
        """Without secrets and without a terminal's colours."""
        return _ESCAPES.sub("", masked("", text, self._secrets()))

    def _shortened(self, data: bytes) -> bytes:
        """An object without the middle of its message. Half a secret is not known for one: they are
        taken out first.
        """
        if (fields := _fields(data)) is None:
            return data
        kept = {name: fields[name] for name in log_lines.ALWAYS}
        kept["message"] = _cut(self.cleaned(kept["message"]))
        return log_lines.encoded(kept).encode() + b"\n"


class Reader:
    """Reads the log as it goes on, for one who looks on."""

    def __init__(self, recent: Recent) -> None:
        self._recent = recent
        self._place = 0
        self._rest = b""

    def lines(self) -> list[str]:
        """The lines that have come since the last call, the last of them where they are many.

        Without secrets and without a terminal's colours. Of a bar of progress, which draws over
        itself, only its last state is shown.
        """
        data, self._place = self._recent.since(self._place)
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_KEPT_MOST:]
        return [self._shown(line) for line in whole[-_LINES_MOST:]]

    def _shown(self, line: bytes) -> str:
        fields = _fields(line)
        if fields is None:
            last = line.rstrip(b"\r").rpartition(b"\r")[2]
            return _cut(self._recent.cleaned(last.decode(errors="replace")))
        return _cut(self._recent.cleaned("{ts} {level} {source}: {message}".format_map(fields)))


def _cut(text: str) -> str:
    whole = len(text) <= _HEAD + _TAIL
    return text if whole else text[:_HEAD] + _LEFT_OUT + text[-_TAIL:]


def _fields(line: bytes) -> dict[str, Any] | None:
    """Those of an object of the log (LOG_FORMAT=json); None for any other line.

    In a log of text anybody may have written one, which is shown in the same way.
    """
    if not line.startswith(b"{"):
        return None
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not fields.keys() >= log_lines.ALWAYS:
        return None
    return fields if all(isinstance(fields[name], str) for name in log_lines.ALWAYS) else None
