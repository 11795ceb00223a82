"""Comments while a stream waits."""

from __future__ import annotations

import asyncio

import pytest

from proxy.errors import StreamBroken
from proxy.resume.keep_alive import WAITING, Commented, until_done
from proxy.stream import sse

SOON = 0.001


class Source:
    """Gives what is put into it."""

    ended = more = False

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.there = b""
        self.reads = 0

    def ready(self) -> bytes:
        return self.there

    async def read(self) -> bytes:
        self.reads += 1
        piece = await self.pieces.get()
        if isinstance(piece, Exception):
            raise piece
        return piece


async def test_comments_until_it_is_done() -> None:
    go = asyncio.Event()
    task = asyncio.create_task(go.wait())
    seen = []
    async for comment in until_done(task, SOON):
        seen.append(comment)
        if len(seen) == 3:
            go.set()
    assert task.done()
    assert set(seen) == {WAITING}
    assert [each async for each in until_done(task, SOON)] == []


def test_it_is_a_comment() -> None:
    assert sse.is_comment(WAITING.encode())


async def test_a_source_gives_comments_until_something_comes() -> None:
    source = Source()
    commented = Commented(source, SOON)
    assert commented.ready() == b""
    assert [await commented.read() for _ in range(2)] == [WAITING.encode()] * 2
    assert commented.ready() == b""
    assert source.reads == 1, "who reads counts for how long nothing came"
    source.pieces.put_nowait(b"data: a\n\n")
    assert await commented.read() == b"data: a\n\n"
    late = asyncio.create_task(commented.read())
    done, _ = await asyncio.wait({late}, timeout=20 * SOON)
    assert not done, "from then on it is as any other stream"
    source.pieces.put_nowait(b"b")
    assert await late == b"b"
    assert (commented.ended, commented.more) == (False, False)


async def test_what_is_there_already_counts() -> None:
    source = Source()
    commented = Commented(source, SOON)
    source.there = b"a"
    assert commented.ready() == b"a"
    late = asyncio.create_task(commented.read())
    done, _ = await asyncio.wait({late}, timeout=20 * SOON)
    assert not done
    late.cancel()


async def test_what_came_between_two_reads_and_how_it_broke() -> None:
    for piece in (b"a", StreamBroken("cut")):
        source = Source()
        commented = Commented(source, SOON)
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
    reading = asyncio.create_task(Commented(source, 60.0).read())
    while not source.reads:
        await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait({reading})
    source.pieces.put_nowait(b"a")
    await asyncio.sleep(0)
    assert not source.pieces.empty()
