"""A stream's bytes -> batches of whole events, by the ramp and the latency budget.

The socket is not read while a batch is under way or a token waits for company: what comes meanwhile
gathers in the kernel and costs one wake-up for all of it. That is most of what makes many streams
cheap. How long each token may wait is `batching.budget`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from proxy.errors import JobError
from proxy.stream import sse
from proxy.stream.pace import Pace
from proxy.stream.ramp import Batches

_SHORTEST = 0.002  # seconds: a shorter sleep costs more than it gains


class Source(Protocol):
    """Where the bytes come from; see `engine.Stream`."""

    def ready(self) -> bytes:
        """What is there without waiting for it; perhaps nothing."""

    async def read(self) -> bytes:
        """What comes next, at least one byte; nothing only at the end."""

    @property
    def ended(self) -> bool:
        """Whether everything has been read."""


async def batches(
    source: Source, waiting: Batches, pace: Pace
) -> AsyncGenerator[list[bytes], None]:
    """The events of `source` in batches.

    Args:
        source: the stream.
        waiting: an empty `Batches` with the ramp to follow.
        pace: how long a token may wait, and when to look at the socket.

    Raises:
        JobError: what `source` raises, after everything that came before it.
    """
    splitter = sse.Splitter()
    started = looked = oldest = pace.now()
    fault: JobError | None = None
    limit = pace.budget()
    while True:
        try:
            data = source.ready()
            # What was there may have come right after the last look.
            arrived = looked
            if not data and (not waiting.tokens or limit is None or source.ended):
                data = await source.read()
                if not data:
                    break
                arrived = pace.now()
        except JobError as reason:
            fault = reason
            break
        looked = pace.now()
        if data:
            oldest = oldest if waiting.tokens else arrived
            waiting.add(splitter.feed(data))
        while waiting.full:
            yield waiting.take()
            oldest = looked
        limit = pace.budget()
        if limit is None:
            continue
        if waiting.tokens and oldest + limit <= pace.now():
            yield waiting.take()
        # Nothing that came after the last look has waited for longer than since then.
        due = (oldest if waiting.tokens else looked) + limit
        now = pace.now()
        look = min(due, now + min(_until_full(waiting, now - started), pace.glance()))
        if look > now:
            await pace.until(look)
    if fault is None:
        waiting.add(splitter.finish())
    while not waiting.empty:
        yield waiting.take()
    if fault is not None:
        raise fault


def _until_full(waiting: Batches, elapsed: float) -> float:
    """Seconds until the next batch is full, at the rate that the stream has had so far."""
    missing = waiting.size - waiting.tokens
    return max(_SHORTEST, missing * elapsed / max(1, waiting.seen))
