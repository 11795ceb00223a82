"""Comments to who reads a stream while it waits: what is silent, servers in between close."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from proxy.stream import sse
from proxy.stream.batches import Source
from proxy.stream.raw import Comment
from proxy.wire.answer import Answer

#: That an answer waits for its engine, for whoever looks at its events.
WAITING = ": the engine was lost, and the answer goes on when it is back\n\n"
#: Seconds: the shortest time after which common proxies give a silent connection up is 30.
EVERY = 10.0


class Beat:
    """When one stream's next comment is due, whatever it waits for; the first one is at once.

    Args:
        every: seconds from one comment to the next.
    """

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._due = 0.0

    def left(self) -> float:
        """Seconds until the next comment."""
        return max(0.0, self._due - asyncio.get_running_loop().time())

    def told(self) -> None:
        """There was one now."""
        self._due = asyncio.get_running_loop().time() + self._every


async def until_done(task: asyncio.Task[Any], beat: Beat) -> AsyncIterator[Comment]:
    """The comments that are due until `task` is done."""
    task.add_done_callback(_heard)
    while not task.done():
        if left := beat.left():
            await asyncio.wait({task}, timeout=left)
        else:
            beat.told()
            yield Comment(WAITING)


@contextlib.asynccontextmanager
async def opened(
    opening: AbstractAsyncContextManager[Answer], beat: Beat | None
) -> AsyncIterator[Source]:
    """A stream that is read and, however the block ends, closed; also where its job's task ends.

    Args:
        opening: asks for it, and waits for an engine and for its answer to begin.
        beat: when there is a comment while nothing comes; None: there are none, and the block
            begins when the answer has begun.

    Raises:
        JobError: there is no answer; with comments whoever reads it is told.
    """
    if beat is None:
        async with opening as answer:
            answer.close_with_task()
            yield answer
        return
    commented = Commented(opening, beat)
    try:
        yield commented
    finally:
        await commented.close()


class Commented:
    """A source that has a comment to give where nothing has come of the answer yet.

    The request waits for an engine, which then computes the prompt again, and that of others.
    For the task of a job, which ends it with itself.

    Args:
        opening: asks for the rest of the answer.
        beat: when there is a comment.
    """

    def __init__(self, opening: AbstractAsyncContextManager[Answer], beat: Beat) -> None:
        self._opening = opening
        self._beat = beat
        self._stack = AsyncExitStack()
        self._answer: Answer | None = None
        self._begun = False
        self._reading: asyncio.Task[bytes] | None = None  # goes on: the answer counts its silence
        self._job = asyncio.current_task()
        if self._job is not None:
            self._job.add_done_callback(lambda _job: self._stop())

    async def close(self) -> None:
        """Take the request back, or close what was opened."""
        try:
            if (reading := self._stop()) is not None:
                await asyncio.wait({reading})
        finally:
            await self._stack.aclose()

    def ready(self) -> bytes:
        """See Source."""
        if self._reading is not None:
            return self._read() if self._reading.done() else b""
        return b"" if self._answer is None else self._come(self._answer.ready())

    async def read(self) -> bytes:
        """See Source."""
        if self._begun and self._answer is not None:
            return await self._answer.read()
        if self._reading is None:
            self._reading = asyncio.create_task(self._next())
            self._reading.add_done_callback(_heard)
        try:
            await asyncio.wait({self._reading}, timeout=self._beat.left())
        except asyncio.CancelledError:
            self._stop()
            raise
        if self._reading.done():
            return self._read()
        self._beat.told()
        return WAITING.encode()

    @property
    def ended(self) -> bool:
        """See Source."""
        return self._answer is not None and self._answer.ended and self._reading is None

    @property
    def more(self) -> bool:
        """See Source."""
        return self._answer is not None and self._answer.more

    async def _next(self) -> bytes:
        if self._answer is None:
            self._answer = await self._stack.enter_async_context(self._opening)
            self._answer.close_with_task(self._job)
        return await self._answer.read()

    def _stop(self) -> asyncio.Task[bytes] | None:
        """Wait no longer; returns who has waited."""
        reading = self._reading
        if reading is not None:
            reading.cancel()
        return reading

    def _read(self) -> bytes:
        reading, self._reading = self._reading, None
        return self._come(reading.result()) if reading is not None else b""

    def _come(self, data: bytes) -> bytes:
        self._begun |= bool(data) and not sse.is_comment(data)
        return data


def _heard(task: asyncio.Task[Any]) -> None:
    """Nobody may be left who asks how it ended."""
    if not task.cancelled():
        task.exception()
