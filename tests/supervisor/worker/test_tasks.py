"""Faults of tasks are seen, their cancelling is none."""

from __future__ import annotations

import asyncio
import logging

import pytest

from supervisor.errors import CatalogError
from supervisor.hanging import HangsError
from supervisor.worker.tasks import Tasks, best_effort, unless


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


@pytest.mark.parametrize(
    "fault", [OSError("gone"), CatalogError("no options"), HangsError(["/volume"])]
)
async def test_what_only_helps_fails_in_a_line(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    @best_effort("no help")
    async def work(what: Exception | None) -> int:
        if what is not None:
            raise what
        return 3

    with caplog.at_level(logging.WARNING):
        assert await work(None) == 3
        assert await work(fault) is None
        assert await work(ExceptionGroup("x", [fault])) is None
    said = f"no help: {type(fault).__name__}: {fault}"
    assert [(each.message, each.exc_info) for each in caplog.records] == [(said, None)] * 2


async def test_of_a_fault_of_ours_in_it_the_place_is_told(caplog: pytest.LogCaptureFixture) -> None:
    @best_effort("no help")
    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())

    await work()
    assert "no help: ZeroDivisionError: " in caplog.text
    assert "in fails" in caplog.text
    assert "TaskGroup" not in caplog.records[0].message


async def test_what_only_helps_can_be_cancelled() -> None:
    @best_effort("no help")
    async def work() -> None:
        await asyncio.sleep(300)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_awaited_ends_with_a_word_from_elsewhere() -> None:
    ended = asyncio.Event()

    async def work(seconds: float) -> int:
        try:
            await asyncio.sleep(seconds)
            return 7
        finally:
            ended.set()

    assert await unless([], work(0.01)) == 7
    ended.clear()
    told: list[int] = []
    waits = asyncio.create_task(unless(told, work(300)))
    await asyncio.sleep(0.01)
    told.append(1)
    assert await waits is None
    await ended.wait()
    with pytest.raises(ZeroDivisionError):
        await unless([], fails())


async def fails() -> None:
    raise ZeroDivisionError
