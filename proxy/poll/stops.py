"""Hears from the platform which jobs are to stop, and stops them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from proxy.poll.fetch import TooManyPolls
from proxy.poll.polls import Polls

log = logging.getLogger("proxy")

_TOO_MANY_PAUSE = 5.0  # seconds; this and the next one as the SDK pauses
_PAUSE = 1.0  # seconds after a poll that brought nothing, or failed


async def hear(
    polls: Polls[list[str]],
    stop: Callable[[str], object],
    sleep: Callable[[float], Coroutine[Any, Any, object]] = asyncio.sleep,
) -> None:
    """Ask for stops until cancelled: to the last, jobs in hand can be stopped.

    Args:
        polls: for the ids of jobs.
        stop: stops one.
        sleep: waits for so many seconds.
    """
    try:
        while True:
            try:
                names = await polls.answer()
            except TooManyPolls:
                await sleep(_TOO_MANY_PAUSE)
                continue
            except Exception as reason:  # noqa: BLE001 - whatever it is, stops are to be heard
                log.warning("the platform did not say which jobs to stop (%s)", reason)
                names = None
            for name in names or ():
                stop(name)
            if not names:
                await sleep(_PAUSE)
    finally:
        await polls.end()
