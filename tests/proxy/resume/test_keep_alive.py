"""Comments while a stream waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import cast

import pytest

from proxy.errors import EngineUnavailable, StreamBroken
from proxy.resume.keep_alive import WAITING, Beat, Commented, opened, until_done
from proxy.stream import batches, sse
from proxy.wire.answer import Answer

SOON = 0.001


class Source:
    """Gives what is put into it, once it was opened; `there` lets it be opened."""

    ended = more = False

    def __init__(self, there: bool = True) -> None:
        self.pieces: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.there = asyncio.Event()
        if there:
            self.there.set()
        self.data = b""
        self.asked = self.reads = self.closed = 0
        self.given_up = False
        self.job: object = None
        self.fault: Exception | None = None

    @contextlib.asynccontextmanager
    async def _opening(self) -> AsyncIterator[Answer]:
        self.asked += 1
        try:
            await self.there.wait()
        except asyncio.CancelledError:
            self.given_up = True
            raise
        if self.fault is not None:
            raise self.fault
        try:
            yield cast(Answer, self)
        finally:
            self.closed += 1

    @property
    def opening(self) -> AbstractAsyncContextManager[Answer]:
        return self._opening()

    def close_with_task(self, task: object = None) -> None:
        self.job = task

    def ready(self) -> bytes:
        return self.data

    async def read(self) -> bytes:
        self.reads += 1
        piece = await self.pieces.get()
        if isinstance(piece, Exception):
            raise piece
        return piece


async def something(source: batches.Source) -> bytes:
    """What comes next beside our comments."""
    while (piece := await source.read()) == WAITING.encode():
        pass
    return piece


async def test_comments_until_it_is_done() -> None:
    go = asyncio.Event()
    task = asyncio.create_task(go.wait())
    seen = []
    async for comment in until_done(task, Beat(SOON)):
        seen.append(comment)
        if len(seen) == 3:
            go.set()
    assert task.done()
    assert set(seen) == {WAITING}
    assert [each async for each in until_done(task, Beat(SOON))] == []


async def test_what_is_waited_for_next_goes_on_with_the_beat() -> None:
    """However many things there are to wait for, there are comments every so many seconds."""
    beat = Beat(60.0)
    assert beat.left() == 0, "the first one is at once"
    for expected in ([WAITING], []):
        task = asyncio.create_task(asyncio.sleep(20 * SOON))
        assert [each async for each in until_done(task, beat)] == expected
    assert 0 < beat.left() <= 60


def test_it_is_a_comment() -> None:
    assert sse.is_comment(WAITING.encode())


async def test_a_source_gives_comments_until_something_comes() -> None:
    source = Source()
    commented = Commented(source.opening, Beat(SOON))
    assert (commented.ready(), commented.ended, commented.more) == (b"", False, False)
    assert [await commented.read() for _ in range(2)] == [WAITING.encode()] * 2
    assert commented.ready() == b""
    assert source.reads == 1, "who reads counts for how long nothing came"
    source.pieces.put_nowait(b": keep-alive of the engine\n\n")
    assert await something(commented) == b": keep-alive of the engine\n\n"
    assert await commented.read() == WAITING.encode(), "nothing has come of the answer"
    source.pieces.put_nowait(b"data: a\n\n")
    assert await something(commented) == b"data: a\n\n"
    late = asyncio.create_task(commented.read())
    done, _ = await asyncio.wait({late}, timeout=20 * SOON)
    assert not done, "from then on it is as any other stream"
    source.pieces.put_nowait(b"b")
    assert await late == b"b"
    assert (commented.ended, commented.more) == (False, False)


async def test_comments_come_while_there_is_no_engine_to_ask() -> None:
    source = Source(there=False)
    async with opened(source.opening, Beat(SOON)) as commented:
        assert [await commented.read() for _ in range(3)] == [WAITING.encode()] * 3
        assert (source.asked, source.reads) == (1, 0)
        source.there.set()
        source.pieces.put_nowait(b"data: a\n\n")
        assert await something(commented) == b"data: a\n\n"
        assert source.job is asyncio.current_task(), "it ends with the job, not with a read"
        source.data = b"b"
        assert commented.ready() == b"b"
        before = source.closed
    assert (before, source.closed) == (0, 1)


async def test_without_comments_it_waits_for_the_answer() -> None:
    source = Source()
    async with opened(source.opening, None) as found:
        assert cast(object, found) is source
    assert source.closed == 1


async def test_an_answer_that_does_not_come_is_told_to_who_reads() -> None:
    source = Source()
    source.fault = EngineUnavailable("no engine was ready within 600 s")
    async with opened(source.opening, Beat(60.0)) as commented:
        with pytest.raises(EngineUnavailable):
            await something(commented)


async def test_who_leaves_while_no_engine_is_there_takes_the_request_back() -> None:
    source = Source(there=False)
    async with opened(source.opening, Beat(SOON)) as commented:
        await commented.read()
    assert source.given_up
    source = Source()
    async with opened(source.opening, Beat(SOON)) as commented:
        await commented.read()
    assert (source.closed, source.reads) == (1, 1), "or closes it"


async def test_a_job_that_ends_and_reads_no_more_takes_it_back_too() -> None:
    """Its generators may stay as they are."""
    source, kept = Source(there=False), []

    async def job() -> None:
        kept.append(Commented(source.opening, Beat(SOON)))
        await kept[0].read()

    await asyncio.create_task(job())
    for _ in range(3):
        await asyncio.sleep(0)
    assert source.given_up


async def test_what_is_there_already_counts() -> None:
    source = Source()
    commented = Commented(source.opening, Beat(SOON))
    source.pieces.put_nowait(b"")
    while await commented.read():
        pass
    source.data = b"a"
    assert commented.ready() == b"a"
    late = asyncio.create_task(commented.read())
    done, _ = await asyncio.wait({late}, timeout=20 * SOON)
    assert not done
    late.cancel()


async def test_what_came_between_two_reads_and_how_it_broke() -> None:
    for piece in (b"a", StreamBroken("cut")):
        source = Source()
        commented = Commented(source.opening, Beat(SOON))
        while not source.reads:
            await commented.read()
        source.pieces.put_nowait(piece)
        while not source.pieces.empty():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        if isinstance(piece, bytes):
            assert commented.ready() == piece
        else:
            with pytest.raises(StreamBroken):
                commented.ready()


async def test_a_job_that_is_stopped_reads_no_more() -> None:
    source = Source()
    beat = Beat(60.0)
    beat.told()
    reading = asyncio.create_task(Commented(source.opening, beat).read())
    while not source.reads:
        await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait({reading})
    source.pieces.put_nowait(b"a")
    await asyncio.sleep(0)
    assert not source.pieces.empty()
