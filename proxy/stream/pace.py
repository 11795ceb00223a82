"""When to look at streams: as the latency budget allows, and at many of them in one wake-up."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from proxy.stream.ramp import adaptive, budget

_TICK = 0.005  # seconds: what a token may wait beyond its budget, so that the process wakes less


class Pace:
    """One for all streams of a process. Times in seconds on a clock that never goes back.

    Args:
        fixed_ms: BATCH_MAX_LATENCY_MS; None follows the number of streams.
    """

    def __init__(self, fixed_ms: float | None = None) -> None:
        self._fixed_ms = fixed_ms
        self._streams = 0
        self._looks: dict[int, list[asyncio.Future[None]]] = {}

    @property
    def exact(self) -> bool:
        """Whether batches have exactly the sizes of the ramp."""
        return self._fixed_ms == 0

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Count one more stream while the block runs."""
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    def now(self) -> float:
        """The time."""
        return time.monotonic()

    def budget(self) -> float | None:
        """Seconds that a token may wait at this moment; None hands over full batches only."""
        return budget(self._streams, self._fixed_ms)

    def glance(self) -> float:
        """The most seconds without a look: a full batch or an end must not wait for the budget."""
        return adaptive(self._streams)

    async def until(self, when: float) -> None:
        """Sleep to the first tick at or after `when`, with every other stream that waits for it."""
        number = math.ceil(when / _TICK)
        loop = asyncio.get_running_loop()
        look = loop.create_future()
        looks = self._looks.get(number)
        if looks is None:
            self._looks[number] = looks = []
            loop.call_later(number * _TICK - self.now(), self._wake, number)
        looks.append(look)
        await look

    def _wake(self, number: int) -> None:
        for look in self._looks.pop(number):
            if not look.done():  # cancelled with its job
                look.set_result(None)
