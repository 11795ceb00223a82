"""Notices that the process stood still, as a platform freezes idle workers and restores them.

Whatever was waited for meanwhile did not have that time, and a connection may have died without a
word. Five seconds without a CPU look the same, and what is done about it does no harm then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

log = logging.getLogger("proxy")

_LOOK = 1.0  # seconds between two looks
_GAP = 5.0  # seconds: more is a freeze, less is a busy machine


class Awake:
    """A clock that leaves out the time for which the process stood still.

    Args:
        clock: gives seconds and never goes back.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Coroutine[Any, Any, object]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._stood_still = 0.0  # seconds in all
        self._then: list[Callable[[], object]] = []

    def now(self) -> float:
        """Seconds for which the process has run, from some beginning."""
        return self._clock() - self._stood_still

    def on_thaw(self, call: Callable[[], object]) -> None:
        """Call this after each gap."""
        self._then.append(call)

    async def watch(self) -> None:
        """Look for gaps until cancelled."""
        last = self._clock()
        while True:
            await self._sleep(_LOOK)
            now = self._clock()
            gap, last = now - last - _LOOK, now
            if gap > _GAP:
                self._stood_still += gap
                log.info("the process stood still for %.0f s", gap)
                for call in self._then:
                    try:
                        call()
                    except Exception:
                        log.exception("a fault in the worker itself")
