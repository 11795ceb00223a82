"""Faults of tasks are seen, their cancelling is none."""

from __future__ import annotations

import asyncio
import logging

import pytest

from supervisor.worker.tasks import Tasks, best_effort


async def test_a_fault_is_logged_and_told(caplog: pytest.LogCaptureFixture) -> None:
    broken = asyncio.Event()
    tasks = Tasks(broken.set)

    async def work() -> None:
        raise ZeroDivisionError

    tasks.create(work())
    async with asyncio.timeout(60):
        await broken.wait()
    assert "a fault in the supervisor itself: ZeroDivisionError()" in caplog.text


async def test_of_a_fault_beside_others_the_fault_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = asyncio.Event()
    tasks = Tasks(broken.set)

    async def work() -> None:
        raise ExceptionGroup("x", [ExceptionGroup("y", [ZeroDivisionError()])])

    tasks.create(work())
    async with asyncio.timeout(60):
        await broken.wait()
    assert "a fault in the supervisor itself: ZeroDivisionError()" in caplog.text


async def test_a_cancelled_task_is_no_fault() -> None:
    told: list[int] = []
    ended = asyncio.Event()
    tasks = Tasks(lambda: told.append(1))

    async def work() -> None:
        try:
            await asyncio.sleep(300)
        finally:
            ended.set()

    tasks.create(work())
    await asyncio.sleep(0)
    tasks.cancel()
    async with asyncio.timeout(60):
        await ended.wait()
    await asyncio.sleep(0)
    assert told == []


async def test_what_only_helps_fails_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    @best_effort("no help")
    async def work(what: int) -> int:
        return 6 // what

    with caplog.at_level(logging.WARNING):
        assert await work(2) == 3
        assert await work(0) is None
    (record,) = caplog.records
    assert record.message == "no help: ZeroDivisionError: integer division or modulo by zero"
    assert record.exc_info is None


async def test_what_only_helps_can_be_cancelled() -> None:
    @best_effort("no help")
    async def work() -> None:
        await asyncio.sleep(300)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
