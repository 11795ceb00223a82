"""What the figures of the page are now: the proxy's in queue mode, else the engine's own."""

from __future__ import annotations

from ..metrics.names import KV_CACHE, RUNNING, WAITING
from ..metrics.vllm import FIRST_SECONDS, FIRST_TOKENS, TOKENS
from ..status import Status
from .samples import Reading


def read(status: Status) -> Reading:
    """As they are known now; of an engine that is not there nothing is."""
    seen = status.seen
    waiting, cache = seen.get(WAITING), seen.get(KV_CACHE)
    if (figures := status.figures()) is not None:
        first = figures.first_token
        return Reading(figures.jobs, waiting, figures.tokens, first.count, first.total, cache)
    return Reading(
        seen.get(RUNNING),
        waiting,
        seen.get(TOKENS),
        seen.get(FIRST_TOKENS),
        seen.get(FIRST_SECONDS),
        cache,
    )


def told(status: Status) -> object:
    """What the figures were told with: another object with each time that they were."""
    if status.figures() is not None:
        return object()  # at most a second old
    engine = status.engine()
    return None if engine is None else engine.seen
