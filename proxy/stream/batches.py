"""A stream's bytes -> batches of whole events, by the ramp and the latency budget.

The socket is not read while a batch is under way or a token waits for company: what comes meanwhile
gathers in the kernel and costs one wake-up for all of it. That is most of what makes many streams
cheap. How long each token may wait is `ramp.budget`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import Protocol

from proxy.errors import JobError
from proxy.stream import sse
from proxy.stream.pace import Pace
from proxy.stream.ramp import Batches

_SHORTEST = 0.002  # seconds: a shorter sleep costs more than it gains
_QUIET = 0.5  # seconds without an output, before a comment is one; intervals are whole seconds
_END_WITHIN = 0.1  # seconds: the end of a body that has said that it ends


class Source(Protocol):
    """Where the bytes come from; see `proxy.wire.answer.Answer`."""

    def ready(self) -> bytes:
        """The bytes that are there without waiting; perhaps none."""

    async def read(self) -> bytes:
        """Wait for the next bytes, at least one; none only at the end."""

    @property
    def ended(self) -> bool:
        """Whether everything has been read."""

    @property
    def more(self) -> bool:
        """Whether the last look left something that is there."""


async def batches(
    source: Source, waiting: Batches, pace: Pace
) -> AsyncGenerator[list[bytes], None]:
    """The events of `source` in batches.

    Args:
        source: the stream.
        waiting: an empty `Batches` with the ramp to follow.
        pace: how long a token may wait, and when to look at the socket.

    Raises:
        JobError: what `source` raises, after everything that came before it; where no token did,
            at once: what has given no output can be asked for again.
    """
    looks = _Looks(source, waiting, pace)
    try:
        while await looks.look():
            for batch in looks.due():
                yield batch
            await looks.until_next()
    except JobError:
        while waiting.seen and not waiting.empty:
            yield waiting.take()
        raise
    waiting.complete = True
    while not waiting.empty:
        yield waiting.take()
    await _finish(source)


async def _finish(source: Source) -> None:
    """Take what follows `[DONE]`, the end, so that the connection can be used again."""
    with contextlib.suppress(JobError, TimeoutError):
        if not source.ended and not source.ready() and not source.ended:
            async with asyncio.timeout(_END_WITHIN):
                await source.read()


def next_look(now: float, since: float, budget: float, full_in: float, glance: float) -> float:
    """When to look at a stream's socket again. Pure.

    Args:
        now: the time, in seconds, on the clock of `since` and of the result.
        since: when the oldest token that waits came; where none waits, the last look, since nothing
            that came later has waited for longer.
        budget: seconds that a token may wait.
        full_in: seconds until the next batch is full, as far as one can tell.
        glance: the most seconds without a look.
    """
    return min(since + budget, now + min(max(_SHORTEST, full_in), glance))


class _Looks:
    """The looks at one stream's socket. Times in seconds on the clock of `pace`."""

    def __init__(self, source: Source, waiting: Batches, pace: Pace) -> None:
        self._source = source
        self._waiting = waiting
        self._pace = pace
        self._splitter = sse.Splitter()
        self._budget = pace.budget()
        self._started = self._last = self._oldest = pace.now()
        self._told = self._started - _QUIET
        self._soon: float | None = None  # seconds to the next look, where the end is near

    async def look(self) -> bool:
        """Take what is there, and wait for bytes where no token waits. False at the end.

        The end is `[DONE]`, or that of the body: whoever reads it leaves.
        """
        source, waiting = self._source, self._waiting
        data = source.ready()
        came = self._last  # perhaps right after the last look
        if not data and (not waiting.tokens or self._budget is None or source.ended):
            data = await source.read()
            came = self._pace.now()
        self._last = self._pace.now()
        if data:
            if not waiting.tokens:
                self._oldest = came
            events = self._splitter.feed(data)
            waiting.add(events)
            if events:
                if sse.is_done(events[-1]):
                    return False
                self._soon = _SHORTEST if sse.is_last_but_done(events[-1]) else None
        if source.ended:
            waiting.add(self._splitter.finish())
            return False
        return True

    def due(self) -> Iterator[list[bytes]]:
        """The batches that are full, and the one whose oldest token has waited long enough.

        A comment goes alone where nothing has gone out for a while, as it does that comes when the
        engine has been silent for SSE_KEEP_ALIVE_INTERVAL; otherwise with the next batch.
        """
        waiting = self._waiting
        while waiting.full:
            yield waiting.take()
            self._oldest = self._told = self._last
        self._budget = self._pace.budget()
        if waiting.comments and self._told + _QUIET <= self._last:
            self._told = self._last
            yield waiting.take_comments()
        if self._budget is None or not waiting.tokens:
            return
        if self._oldest + self._budget <= self._pace.now():
            self._told = self._last
            yield waiting.take()

    async def until_next(self) -> None:
        """Wait until the next look; not at all where only full batches are handed over."""
        if self._source.more:
            await asyncio.sleep(0)
            return
        if self._budget is None:
            return
        waiting, now = self._waiting, self._pace.now()
        since = self._oldest if waiting.tokens else self._last
        missing = waiting.size - waiting.tokens
        full_in = missing * (now - self._started) / max(1, waiting.seen)  # at its rate so far
        when = next_look(now, since, self._budget, full_in, self._pace.glance())
        if self._soon is not None:
            when = min(when, now + self._soon)
            self._soon *= 2
        if when > now:
            await self._pace.until(when)
