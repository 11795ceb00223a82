"""Waiting for something to happen, and for one's turn."""

from __future__ import annotations

import asyncio
from collections import OrderedDict


class Change:
    """Wakes everybody who waits for it; costs next to nothing while nobody does."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: dict[asyncio.Future[None], None] = {}

    def tell(self) -> None:
        """It happened."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, seconds: float) -> bool:
        """Whether it happened within `seconds`."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = None
        try:
            return await _woken(waiter, seconds)
        finally:
            self._waiters.pop(waiter, None)


class Line:
    """Wakes who has waited longest: a thousand others sleep on."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: OrderedDict[asyncio.Future[None], None] = OrderedDict()

    def wake(self) -> None:
        """Wake the first in line, once. Who leaves the line has to wake the next, if need be."""
        if (first := next(iter(self._waiters), None)) and not first.done():
            first.set_result(None)

    async def wait(self, seconds: float, *, first: bool = False) -> bool:
        """Whether its turn came within `seconds`; `first` stands before all others."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = None
        if first:
            self._waiters.move_to_end(waiter, last=False)
        try:
            return await _woken(waiter, seconds)
        finally:
            del self._waiters[waiter]


async def _woken(waiter: asyncio.Future[None], seconds: float) -> bool:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await waiter
    except TimeoutError:
        return False
    return True
