"""A stream's bytes -> batches of whole events, by the ramp and the latency budget.

The socket is not read while a batch is under way or a token waits for company: what comes meanwhile
gathers in the kernel and costs one wake-up for all of it. That is most of what makes many streams
cheap. How long each token may wait is `batching.budget`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from proxy import sse
from proxy.batching import Batches
from proxy.errors import JobError

_TICK = 0.125  # of a glance: what a token may wait beyond its budget
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
    source: Source,
    waiting: Batches,
    allowance: Callable[[], float | None],
    glance: Callable[[], float],
    clock: Callable[[], float],
) -> AsyncGenerator[list[bytes], None]:
    """The events of `source` in batches.

    Args:
        source: the stream.
        waiting: an empty `Batches` with the ramp to follow.
        allowance: the budget at this moment in seconds; None hands over full batches only.
        glance: the longest time without a look at the socket, in seconds: a full batch and the end
            of the stream are not to wait for a long budget.
        clock: seconds on a clock that never goes back.

    Raises:
        JobError: what `source` raises, after everything that came before it.
    """
    splitter = sse.Splitter()
    started = looked = oldest = clock()
    fault: JobError | None = None
    limit = allowance()
    while True:
        try:
            data = source.ready()
            # What was there may have come right after the last look.
            arrived = looked
            if not data and (not waiting.tokens or limit is None or source.ended):
                data = await source.read()
                if not data:
                    break
                arrived = clock()
        except JobError as reason:
            fault = reason
            break
        looked = clock()
        if data:
            oldest = oldest if waiting.tokens else arrived
            waiting.add(splitter.feed(data))
        while waiting.full:
            yield waiting.take()
            oldest = looked
        limit = allowance()
        if limit is None:
            continue
        if waiting.tokens and oldest + limit <= clock():
            yield waiting.take()
        # Nothing that came after the last look has waited for longer than since then.
        due = (oldest if waiting.tokens else looked) + limit
        now = clock()
        pause = min(due - now, _until_full(waiting, now - started), glance())
        if pause > 0:
            # Looks of many streams fall together, so that the process wakes once for all of them.
            tick = glance() * _TICK
            await asyncio.sleep(math.ceil((now + pause) / tick) * tick - now)
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
