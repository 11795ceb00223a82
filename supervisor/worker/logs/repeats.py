"""Leaves out lines of the log that come again and again, and says how many they were.

What happens a thousand times a second must not push everything else out of the log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ...records import dataclass

_SHOWN_MOST = 10  # lines of one text
_WITHIN = 60.0  # seconds
_KNOWN_MOST = 1000  # texts


class Folding(logging.Handler):
    """Hands records on to `target`, but for those that repeat themselves; `clock` gives seconds."""

    def __init__(
        self, target: logging.Handler, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._target = target
        self._clock = clock
        self._repeats = Repeats()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it on, or count it."""
        for each in self._repeats.take(record, self._clock()):
            self._target.handle(each)

    def flush(self) -> None:
        """Say of each line that was left out how often, without waiting for its minute to end."""
        self.acquire()
        try:
            for each in self._repeats.take_rest():
                self._target.handle(each)
        finally:
            self.release()


@dataclass(slots=True)
class _Repeated:
    since: float
    last: logging.LogRecord
    shown: int = 0
    left_out: int = 0


class Repeats:
    """What is known of the last minute. Times are seconds on the caller's clock."""

    def __init__(self) -> None:
        #: By level and text, in the order in which their minutes began.
        self._known: dict[tuple[int, str], _Repeated] = {}

    def take(self, record: logging.LogRecord, now: float) -> list[logging.LogRecord]:
        """What to write, now that `record` has come."""
        out = self._over(now)
        key = (record.levelno, record.getMessage())
        found = self._known.setdefault(key, _Repeated(now, record))
        found.last = record
        if found.shown < _SHOWN_MOST:
            found.shown += 1
            out.append(record)
        else:
            found.left_out += 1
        return out

    def take_rest(self) -> list[logging.LogRecord]:
        """What to write where nothing more comes."""
        rest = [told for each in self._known.values() for told in _told(each)]
        self._known.clear()
        return rest

    def _over(self, now: float) -> list[logging.LogRecord]:
        out: list[logging.LogRecord] = []
        while self._known:
            key, first = next(iter(self._known.items()))
            if now - first.since < _WITHIN and len(self._known) <= _KNOWN_MOST:
                break
            del self._known[key]
            out += _told(first)
        return out


def _told(repeated: _Repeated) -> list[logging.LogRecord]:
    if not repeated.left_out:
        return []
    last = repeated.last
    text = f"{last.getMessage()} (this line was left out {repeated.left_out} times)"
    said = {"msg": text, "args": None, "exc_info": None, "exc_text": None}
    return [logging.makeLogRecord({**last.__dict__, **said})]
