"""Sees that this process has stood still: the platform freezes idle workers and thaws them later.

Everything of the worker stands still then, and the monotonic clock goes on. A process that got no
CPU for as long looks the same, and what is done about it does no harm to it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

_BEAT = 1.0  # seconds
_FROZEN_AFTER = 5.0  # seconds beside the beat: less is a busy machine, and no deadline minds it


class Pulse:
    """Beats once a second, and adds up the time in which it could not.

    Args:
        clock: gives seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._frozen = 0.0

    @property
    def frozen(self) -> float:
        """Seconds in which this process stood still, as of now: whoever asks sees it first."""
        now = self._clock()
        gap = now - self._last - _BEAT
        self._last = now
        if gap > _FROZEN_AFTER:
            self._frozen += gap
        return self._frozen

    async def beat(self, told: Callable[[], None]) -> None:
        """Beat for ever; `told` is called with each beat."""
        while True:
            await asyncio.sleep(_BEAT)
            self.frozen  # noqa: B018 - a look is a beat
            told()
