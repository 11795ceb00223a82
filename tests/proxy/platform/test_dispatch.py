"""When a job begins, how many run at once, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from proxy.platform.dispatch import Dispatcher
from tests.client import PATIENCE
from tests.proxy.platform.fakes import Job, job


class Parts:
    """A dispatcher of two jobs at once, the queue before it, and jobs that end when told to."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Job] = asyncio.Queue()
        self.over = asyncio.Event()
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.running: dict[str, asyncio.Future[None]] = {}
        self.most = 0
        self.dispatcher = Dispatcher(self.queue.get, self._run, 2)

    async def _run(self, one: Job) -> None:
        name = one["id"]
        self.running[name] = asyncio.get_running_loop().create_future()
        self.most = max(self.most, len(self.running))
        self.begun.put_nowait(name)
        try:
            await self.running[name]
        finally:
            del self.running[name]

    def start(self) -> asyncio.Task[None]:
        return asyncio.create_task(
            self.dispatcher.until(
                self.over.wait, lambda: not self.over.is_set() or not self.queue.empty()
            )
        )


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    async with asyncio.timeout(PATIENCE):
        yield Parts()


async def test_a_job_begins_when_it_comes(parts: Parts) -> None:
    dispatching = parts.start()
    for name in ("a", "b"):
        parts.queue.put_nowait(job(name))
        assert await parts.begun.get() == name
        parts.running[name].set_result(None)
    parts.over.set()
    await dispatching


async def test_no_more_run_at_once_than_are_allowed(parts: Parts) -> None:
    """The next begins when any of them has ended, whichever that is and however."""
    dispatching = parts.start()
    for name in "abcdef":
        parts.queue.put_nowait(job(name))
    begun = [await parts.begun.get(), await parts.begun.get()]
    parts.running["b"].set_result(None)
    begun.append(await parts.begun.get())
    parts.running["a"].set_exception(asyncio.CancelledError())
    begun.append(await parts.begun.get())
    assert parts.queue.qsize() == 2
    while len(begun) < 6 or parts.running:
        for one in [each for each in parts.running.values() if not each.done()]:
            one.set_result(None)
        await asyncio.sleep(0)
        while not parts.begun.empty():
            begun.append(parts.begun.get_nowait())
    assert begun == list("abcdef")
    assert parts.most == 2
    parts.over.set()
    await dispatching


async def test_at_the_end_what_waits_is_run_and_what_runs_is_waited_for(parts: Parts) -> None:
    dispatching = parts.start()
    for name in "abc":
        parts.queue.put_nowait(job(name))
    await parts.begun.get()
    await parts.begun.get()
    parts.over.set()
    parts.running["a"].set_result(None)
    assert await parts.begun.get() == "c"
    parts.running["c"].set_exception(asyncio.CancelledError())
    while "c" in parts.running:
        await asyncio.sleep(0)
    assert not dispatching.done()
    parts.running["b"].set_result(None)
    await dispatching


async def test_the_wait_for_the_next_job_ends_with_the_worker(parts: Parts) -> None:
    dispatching = parts.start()
    await asyncio.sleep(0)
    parts.over.set()
    await dispatching


async def test_where_none_will_come_none_is_waited_for(parts: Parts) -> None:
    """As when a stop comes before the first poll; `over` is then never told."""
    await parts.dispatcher.until(asyncio.Event().wait, lambda: False)
