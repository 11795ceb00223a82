"""Cuts connections of workers, all at once, as a network does; and hears when they are back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping


class Connections:
    """The open connections of each worker.

    A cut falls between two steps of the event loop: a job is either in the hands of its worker's
    machine by then, or still here; a report has been heard and answered, or neither.
    """

    def __init__(self) -> None:
        self._open: dict[str, set[asyncio.Transport]] = {}
        self._cut: dict[str, tuple[float, float]] = {}  # when, and until when; time.monotonic()
        self._back: dict[str, float] = {}

    def refuses(self, worker: str, transport: asyncio.Transport | None) -> bool:
        """Whether this request of a worker is cut too. Where it is not, the worker is back."""
        if transport is not None:
            if transport not in (known := self._open.setdefault(worker, set())):
                known -= {one for one in known if one.is_closing()}
                known.add(transport)
            if self._is_cut(worker):
                transport.abort()
                return True
        return False

    def cut(self, workers: Collection[str], seconds: float) -> int:
        """Cut every connection of these, and each new one for so long; how many these were."""
        now = time.monotonic()
        count = 0
        for worker in workers:
            self._cut[worker] = now, now + seconds
            self._back.pop(worker, None)
            for transport in self._open.pop(worker, ()):
                count += not transport.is_closing()
                transport.abort()
        return count

    def told(self) -> Mapping[str, float | None]:
        """The workers that were cut: seconds until they were heard again, None: not yet."""
        return {worker: self._back.get(worker) for worker in self._cut}

    def _is_cut(self, worker: str) -> bool:
        if worker not in self._cut:
            return False
        began, end = self._cut[worker]
        now = time.monotonic()
        if now >= end:
            self._back.setdefault(worker, now - began)
        return now < end
