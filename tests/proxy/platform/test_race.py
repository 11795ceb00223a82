"""Work that is ended when something else happens."""

from __future__ import annotations

import asyncio

import pytest

from proxy.platform.race import unless
from tests.client import PATIENCE


async def test_work_that_is_done_first_gives_its_result() -> None:
    async def work() -> str:
        return "done"

    assert await unless(asyncio.Event().wait(), work()) == "done"


async def test_work_is_cancelled_at_the_end() -> None:
    end = asyncio.Event()
    cancelled = []

    async def work() -> str:
        end.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return "never"

    async with asyncio.timeout(PATIENCE):
        assert await unless(end.wait(), work()) is None
    assert cancelled == [True]


async def test_a_result_that_still_arrives_counts() -> None:
    """A job that has come is run, even if its poll was being ended."""
    end = asyncio.Event()

    async def work() -> str:
        end.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "arrived"
        return "never"

    async with asyncio.timeout(PATIENCE):
        assert await unless(end.wait(), work()) == "arrived"


async def test_what_work_raises_is_raised() -> None:
    async def work() -> None:
        raise ConnectionError("no")

    with pytest.raises(ConnectionError, match="no"):
        await unless(asyncio.Event().wait(), work())


async def test_who_waits_can_be_cancelled() -> None:
    """And the work with it."""
    working, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        working.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    task = asyncio.create_task(unless(asyncio.Event().wait(), work()))
    async with asyncio.timeout(PATIENCE):
        await working.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await cancelled.wait()
