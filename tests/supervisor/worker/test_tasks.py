"""Faults of tasks are seen, their cancelling is none."""

from __future__ import annotations

import asyncio

import pytest

from supervisor.worker.tasks import Tasks


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
