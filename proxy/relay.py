"""A stream's bytes -> batches of whole events, by the ramp and the latency budget.

The socket is not read while a batch is under way or a token waits for company: what comes meanwhile
gathers in the kernel and costs one wake-up for all of it. That is most of what makes many streams
cheap. How long each token may wait is `batching.budget`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from proxy import sse
from proxy.batching import Batches


class Source(Protocol):
    """Where the bytes come from; see `engine.Stream`."""

    async def ready(self) -> bytes:
        """What is there without waiting for it; perhaps nothing."""

    async def read(self) -> bytes:
        """What comes next, at least one byte; nothing only at the end."""

    @property
    def ended(self) -> bool:
        """Whether everything has been read."""


async def batches(
    source: Source,
    waiting: Batches,
    allowance: Callable[[], float | None],
    clock: Callable[[], float],
) -> AsyncGenerator[list[bytes], None]:
    """The events of `source` in batches.

    Args:
        source: the stream.
        waiting: an empty `Batches` with the ramp to follow.
        allowance: the budget at this moment in seconds; None hands over full batches only.
        clock: seconds on a clock that never goes back.

    Raises:
        JobError: what `source` raises.
    """
    splitter = sse.Splitter()
    looked = oldest = clock()
    while True:
        data = await source.ready()
        # What was there may have come right after the last look.
        arrived = looked
        if not data and (not waiting.tokens or allowance() is None or source.ended):
            data = await source.read()
            if not data:
                break
            arrived = clock()
        looked = clock()
        if data:
            oldest = oldest if waiting.tokens else arrived
            waiting.add(splitter.feed(data))
        while waiting.full:
            yield waiting.take()
            oldest = looked
        limit = allowance()
        if limit is None or not waiting.tokens:
            continue
        left = oldest + limit - clock()
        if left > 0:
            await asyncio.sleep(left)
        else:
            yield waiting.take()
    waiting.add(splitter.finish())
    while not waiting.empty:
        yield waiting.take()
