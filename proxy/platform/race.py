"""Ends a piece of work when something else happens, without losing what it has brought."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def unless(end: Coroutine[Any, Any, object], work: Coroutine[Any, Any, T]) -> T | None:
    """Await `work`, cancelling it once `end` completes.

    Returns:
        The result of `work`, also one that still arrives after `end`; otherwise None.

    Raises:
        Exception: what `work` raises.
    """
    working = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(end)
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
        return await _result(working)
    finally:
        waiting.cancel()
        working.cancel()


async def _result(working: Awaitable[T]) -> T | None:
    try:
        return await working
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return None
