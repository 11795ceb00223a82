"""An answer that goes on."""

from __future__ import annotations

import asyncio
import itertools
import socket

import pytest

from supervisor.worker.control import live
from supervisor.worker.control.answers import Found
from supervisor.worker.control.crowd import Crowd
from supervisor.worker.control.message import Answer, Live, Question
from tests.client import PATIENCE
from tests.supervisor.worker.control.test_connection import answer, closed, connected

ASK = b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n"


def counting(_question: Question) -> Found:
    numbers = itertools.count()
    return Live(lambda: b"data: %d\n\n" % next(numbers))


def silent(_question: Question) -> Found:
    return Live(bytes)


async def until(reader: asyncio.StreamReader, end: bytes) -> bytes:
    async with asyncio.timeout(PATIENCE):
        return await reader.readuntil(end)


async def test_it_goes_on_until_its_asker_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY", 0.01)
    crowd = Crowd(9)
    async with connected(counting, crowd) as (reader, writer):
        writer.write(ASK + ASK)
        head = await until(reader, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Content-Type: text/event-stream\r\n" in head
        assert b"Content-Length" not in head
        for number in range(5):
            assert await until(reader, b"\n\n") == b"data: %d\n\n" % number
        assert not crowd.busy, "no end of the worker waits for it"
        writer.close()
        async with asyncio.timeout(PATIENCE):
            while len(crowd):
                await asyncio.sleep(0.01)


async def test_something_is_said_at_most_once_a_second() -> None:
    """Two looks at what is new are a second apart, however often something is."""
    looks: list[float] = []
    loop = asyncio.get_running_loop()

    def answers(_question: Question) -> Found:
        return Live(lambda: looks.append(loop.time()) or b"data: x\n\n")  # type: ignore[func-returns-value]

    async with connected(answers) as (reader, writer):
        writer.write(ASK)
        await until(reader, b"\r\n\r\n")
        for _ in range(3):
            await until(reader, b"\n\n")
    assert all(two - one >= 0.99 for one, two in itertools.pairwise(looks))


async def test_one_to_whom_nothing_is_said_sees_that_it_is_still_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "EVERY", 0.01)
    monkeypatch.setattr(live, "QUIET_MOST", 0.05)
    async with connected(silent) as (reader, writer):
        writer.write(ASK)
        await until(reader, b"\r\n\r\n")
        assert await until(reader, b"\n\n") == b":\n\n"


async def test_so_many_may_look_and_no_more() -> None:
    crowd = Crowd(9, lookers=1)
    async with connected(silent, crowd) as (first, writer):
        writer.write(ASK)
        await until(first, b"\r\n\r\n")
        async with connected(silent, crowd) as (second, other):
            other.write(ASK)
            assert (await answer(second))[0] == 503
            assert await closed(second)
        async with connected(lambda _: Answer(200, b"x"), crowd) as (third, more):
            more.write(ASK)
            assert (await answer(third))[0] == 200, "others are answered"
        crowd.conclude()
        assert await closed(first)
    async with connected(silent, crowd) as (fourth, writer):
        writer.write(ASK)
        assert b" 200 " in await until(fourth, b"\r\n\r\n")


async def test_who_never_reads_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing piles up for him until then."""
    monkeypatch.setattr(live, "EVERY", 0.001)
    monkeypatch.setattr(live, "READ_WITHIN", 0.2)
    said: list[int] = []

    def answers(_question: Question) -> Found:
        def news() -> bytes:
            said.append(1)
            return b"data: " + b"x" * 100_000 + b"\n\n"

        return Live(news)

    crowd = Crowd(9)
    async with connected(answers, crowd) as (reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        transport = reader._transport  # type: ignore[attr-defined]
        transport.pause_reading()
        writer.write(ASK)
        async with asyncio.timeout(PATIENCE):
            while len(crowd) or not said:
                await asyncio.sleep(0.01)
    assert len(said) < 100


async def test_who_reads_late_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY", 0.001)

    def answers(_question: Question) -> Found:
        sizes = itertools.chain([5_000_000], itertools.repeat(1))
        return Live(lambda: b"data: " + b"x" * next(sizes) + b"\n\n")

    async with connected(answers) as (reader, writer):
        writer.write(ASK)
        async with asyncio.timeout(PATIENCE):
            left = 5_000_000
            while left > 0:
                some = await reader.read(65536)
                assert some
                left -= len(some)
            assert b"data: x\n\n" in await reader.readuntil(b"data: x\n\n")


async def test_the_last_is_said_where_the_worker_ends() -> None:
    crowd = Crowd(9)
    words = iter([b"data: first\n\n", b"data: last\n\n"])
    async with connected(lambda _: Live(lambda: next(words)), crowd) as (reader, writer):
        writer.write(ASK)
        await until(reader, b"data: first\n\n")
        crowd.conclude()
        assert await until(reader, b"\n\n") == b"data: last\n\n"
        assert await closed(reader)
