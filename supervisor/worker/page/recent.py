"""The last of the log, for those who look on: kept as bytes, made into lines for them alone."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterable

from ...secrets import masked_line

_KEPT_MOST = 64 * 1024  # bytes
_LINES_MOST = 200
_LONGEST = 2000  # characters of a line that are shown

#: Colours and the like of a terminal.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")


class Recent:
    """Fed by whoever writes the log, from any thread; costs nearly nothing."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._end = 0  # bytes of all the log so far
        self._lock = threading.Lock()

    def feed(self, data: bytes) -> None:
        """Take in what is written to the log."""
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


class Reader:
    """Reads the log as it goes on, for one who looks on.

    Args:
        recent: the log.
        secrets: what no line shows, as of now. The engine's own lines may have them.
    """

    def __init__(self, recent: Recent, secrets: Callable[[], Iterable[str]]) -> None:
        self._recent = recent
        self._secrets = secrets
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
        last = line.rstrip(b"\r").rpartition(b"\r")[2]
        text = masked_line(last, self._secrets()).decode(errors="replace")
        return _ESCAPES.sub("", text)[:_LONGEST]
