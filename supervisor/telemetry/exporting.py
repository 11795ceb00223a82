"""Exports that fail: said once, until they succeed again, and waited for by nobody."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

_LIBRARY = "opentelemetry"
_REASON_MOST = 200  # characters of what the library or the collector says


class Exports:
    """How the exports of one signal fare. Used by the thread that exports.

    Args:
        log: gets a line when they begin to fail, and one when they succeed again.
        what: is exported, for that line.
        url: where it goes, as it may be shown.
    """

    def __init__(self, log: logging.Logger, what: str, url: str) -> None:
        self._log = log
        self._what = what
        self._url = url
        self._failing = False
        self._said = _Said.installed()

    def made(self, *, arrived: bool) -> None:
        """One was tried; what the library said of it is not said again."""
        why = self._said.taken()
        if arrived and self._failing:
            self._log.info("%s takes the %s again", self._url, self._what)
        elif not arrived and not self._failing:
            reason = f": {why}" if why else ""
            self._log.warning(
                "the %s are lost until %s takes them%s", self._what, self._url, reason
            )
        self._failing = not arrived


def within(seconds: float, work: Callable[[], object]) -> None:
    """Do `work` beside this thread, and go on when it is done, or after so many seconds.

    What goes on then ends with the process.
    """
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)


class _Said(logging.Handler):
    """Keeps the last thing that the library said, which would say it for every export."""

    _one: _Said | None = None

    @classmethod
    def installed(cls) -> _Said:
        """The one of this process, in the place of where the library's lines would go."""
        if cls._one is None:
            cls._one = cls(logging.WARNING)
        library = logging.getLogger(_LIBRARY)
        library.addHandler(cls._one)
        library.propagate = False
        return cls._one

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        self._last = " ".join(record.getMessage().split())[:_REASON_MOST]

    def taken(self) -> str:
        """What was said since the last time."""
        last, self._last = self._last, ""
        return last
