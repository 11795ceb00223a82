"""Exports that fail: said once, until they succeed again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..errors import SupervisorError
from ..secrets import masked

_LIBRARY = "opentelemetry"
_END_WITHIN = 2.0  # seconds for the last export: a stop does not wait for a collector
_REASON_MOST = 200  # characters of what the library or the system says


class Exports:
    """How the exports of one signal fare. Used by one thread at a time.

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
        self._noted = ""
        self._said = _Said.installed()

    def note(self, why: str) -> None:
        """What became of the last request: why the collector did not take it, or "" if it did."""
        self._noted = why

    def made(self, *, arrived: bool) -> None:
        """One was tried; what was noted or the library said of it is not said again."""
        why, said = self._noted, self._said.taken()
        self._noted = ""
        self._tell(arrived, why or said)

    def failed(self, fault: BaseException) -> None:
        """One could not even be tried, or ended in a way that nobody expects."""
        self._said.taken()
        why = str(fault)
        if not why or not isinstance(fault, OSError | SupervisorError):
            why = f"{type(fault).__name__}: {fault}"
        self._tell(arrived=False, why=why)

    @asynccontextmanager
    async def ending(self) -> AsyncIterator[None]:
        """The last one is tried in this block, which ends soon and raises nothing."""
        try:
            async with asyncio.timeout(_END_WITHIN):
                yield
        except TimeoutError:
            pass  # nobody knows what becomes of it
        except Exception as fault:  # noqa: BLE001 - whatever it is, the process ends as it would
            self.failed(fault)

    def _tell(self, arrived: bool, why: str) -> None:
        if arrived and self._failing:
            self._log.info("%s takes the %s again", self._url, self._what)
        elif not arrived and not self._failing:
            words = "".join(char if char.isprintable() else " " for char in why).split()
            shown = masked("", " ".join(words))[:_REASON_MOST]
            reason = f": {shown}" if shown else ""
            self._log.warning(
                "the %s are lost until %s takes them%s", self._what, self._url, reason
            )
        self._failing = not arrived


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
        self._last = record.getMessage()

    def taken(self) -> str:
        """What was said since the last time."""
        last, self._last = self._last, ""
        return last
