"""Comments to who reads a stream while it waits: what is silent, servers in between close."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from proxy.stream.batches import Source
from proxy.stream.raw import Comment

#: That an answer waits for its engine, for whoever looks at its events.
WAITING = ": the engine was lost, and the answer goes on when it is back\n\n"
#: Seconds: the shortest time after which common proxies give a silent connection up is 30.
EVERY = 10.0


async def until_done(task: asyncio.Task[Any], every: float = EVERY) -> AsyncIterator[Comment]:
    """A comment now, and another one every so many seconds, until `task` is done."""
    task.add_done_callback(_heard)
    while not task.done():
        yield Comment(WAITING)
        await asyncio.wait({task}, timeout=every)


class Commented:
    """A source that has a comment to give where nothing has come of the answer yet.

    The engine computes the prompt again, and much of that is of others.

    Args:
        source: of the rest of the answer.
        every: seconds after which there is one.
    """

    def __init__(self, source: Source, every: float = EVERY) -> None:
        self._source = source
        self._every = every
        self._begun = False
        self._reading: asyncio.Task[bytes] | None = None  # goes on: the source counts its silence

    def ready(self) -> bytes:
        """See Source."""
        if self._reading is None:
            return self._come(self._source.ready())
        return self._read() if self._reading.done() else b""

    async def read(self) -> bytes:
        """See Source."""
        if self._begun:
            return await self._source.read()
        if self._reading is None:
            self._reading = asyncio.create_task(self._source.read())
            self._reading.add_done_callback(_heard)
        try:
            await asyncio.wait({self._reading}, timeout=self._every)
        except asyncio.CancelledError:
            self._reading.cancel()
            raise
        return self._read() if self._reading.done() else WAITING.encode()

    @property
    def ended(self) -> bool:
        """See Source."""
        return self._source.ended and self._reading is None

    @property
    def more(self) -> bool:
        """See Source."""
        return self._source.more

    def _read(self) -> bytes:
        reading, self._reading = self._reading, None
        return self._come(reading.result()) if reading is not None else b""

    def _come(self, data: bytes) -> bytes:
        self._begun |= bool(data)
        return data


def _heard(task: asyncio.Task[Any]) -> None:
    """Nobody may be left who asks how it ended."""
    if not task.cancelled():
        task.exception()
