"""One connection, by what goes over its socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from supervisor.worker.control import connection
from supervisor.worker.control.answers import Found
from supervisor.worker.control.connection import Connection
from supervisor.worker.control.crowd import Crowd
from supervisor.worker.control.message import Answer, Question
from tests.client import PATIENCE

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def echo(question: Question) -> Answer:
    told = f"{question.method} {question.path} {dict(question.query)} {question.host}"
    return Answer(200, told.encode())


@contextlib.asynccontextmanager
async def connected(
    answers: Callable[[Question], Found] = echo, crowd: Crowd | None = None
) -> AsyncIterator[Wire]:
    ours, its = socket.socketpair()
    its.setblocking(False)
    loop = asyncio.get_running_loop()
    made = Connection(answers, Crowd(9) if crowd is None else crowd)
    transport, _ = await loop.connect_accepted_socket(lambda: made, its)
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        yield reader, writer
    finally:
        writer.close()
        transport.abort()
        await asyncio.sleep(0)


async def answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    """The status and the body of the next answer."""
    async with asyncio.timeout(PATIENCE):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = [line for line in head.splitlines() if line.startswith("Content-Length: ")]
        body = await reader.readexactly(int(length[0].split()[1])) if length else b""
    return int(head.split()[1]), body.decode()


async def closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ConnectionError):
            return not await reader.read(1)
        return True


async def test_questions_come_whole_in_pieces_and_several_at_once() -> None:
    first = b"GET /a%20b?x=1&y=%26&x=2 HTTP/1.1\r\nHost: h:1\r\n\r\n"
    async with connected() as (reader, writer):
        for byte in first:
            writer.write(bytes([byte]))
            await writer.drain()
        assert await answer(reader) == (200, "GET /a b {'x': '1', 'y': '&'} h:1")
        writer.write(b"POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + first * 2)
        assert await answer(reader) == (200, "POST /c {} h")
        for _ in range(2):
            assert (await answer(reader))[1].startswith("GET /a b")
        writer.write(b"GET http://other/d HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert await answer(reader) == (200, "GET /d {} None"), "two hosts are none"


async def test_what_follows_the_head_belongs_to_its_question() -> None:
    def body(question: Question) -> Answer:
        return Answer(200, question.body)

    post = b"POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"
    async with connected(body) as (reader, writer):
        writer.write(post + b"a")
        await writer.drain()
        writer.write(b"bc" + post + b"def" + b"GET /d HTTP/1.1\r\nHost: h\r\n\r\n")
        assert [await answer(reader) for _ in range(3)] == [(200, "abc"), (200, "def"), (200, "")]


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.0", []),
        ("1.0", ["Connection: keep-alive"]),
        ("1.1", ["Connection: close"]),
        ("1.1", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA"]),
    ],
)
async def test_a_last_question_is_answered_and_then_it_is_closed(
    version: str, headers: list[str]
) -> None:
    async with connected() as (reader, writer):
        writer.write("\r\n".join([f"GET / HTTP/{version}", "Host: h", *headers, "", ""]).encode())
        assert (await answer(reader))[0] == 200
        assert await closed(reader)


async def test_who_reads_no_answer_is_not_answered_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Else its answers would pile up in this process."""
    few = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * 100

    async def ask(writer: asyncio.StreamWriter) -> None:
        for _ in range(2_000):  # the buffers of both ends hold less
            writer.write(few)
            await writer.drain()
            await asyncio.sleep(0)

    async with connected() as (_, writer):
        with pytest.raises(ConnectionError):
            await ask(writer)
    assert caplog.text == ""


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"hello\r\n",
        b"GET / HTTP/1.1\r\nA b: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET a:b:c HTTP/1.1\r\n\r\n",
        b"GET /" + b"x" * connection.QUESTIONS_MOST,
        b"GET / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n" + b"x" * connection.QUESTIONS_MOST,
    ],
)
async def test_nonsense_and_what_is_too_much_is_refused(nonsense: bytes) -> None:
    async with connected() as (reader, writer):
        writer.write(nonsense)
        assert (await answer(reader))[0] == 400
        assert await closed(reader)


async def test_head_has_no_body() -> None:
    async with connected() as (reader, writer):
        writer.write(b"HEAD /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert b"Content-Length: " in await reader.readuntil(b"\r\n\r\n")
        assert (await answer(reader))[1].startswith("GET /b")


async def test_a_head_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing, some, an empty line now and then, or some behind a question that was answered."""
    monkeypatch.setattr(connection, "HEAD_WITHIN", 0.3)
    whole = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    for begin, more in ((b"", b""), (b"", b"\r\n"), (whole[:22], b" "), (whole + b"GET /", b"a")):
        crowd = Crowd(9)
        async with connected(echo, crowd) as (reader, writer):
            writer.write(begin)
            if begin.startswith(whole):
                await answer(reader)
            dripping = asyncio.create_task(_drip(writer, more))
            assert await closed(reader)
            dripping.cancel()
            assert len(crowd) == 0


async def _drip(writer: asyncio.StreamWriter, more: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(0.05)


async def test_between_questions_it_may_rest_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_WITHIN", 0.2)
    async with connected() as (reader, writer):
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await answer(reader))[0] == 200
            await asyncio.sleep(0.5)
        monkeypatch.setattr(connection, "KEPT_FOR", 0.1)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await answer(reader))[0] == 200
        assert await closed(reader)


async def test_an_answer_may_come_later_and_those_behind_it_wait() -> None:
    asked, gate = asyncio.Event(), asyncio.Event()

    def answers(question: Question) -> Answer | Awaitable[Answer]:
        return later() if question.path == "/wait" else echo(question)

    async def later() -> Answer:
        asked.set()
        await gate.wait()
        return Answer(200, b"at last")

    crowd = Crowd(9)
    async with connected(answers, crowd) as (reader, writer):
        writer.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n")
        await asked.wait()
        assert crowd.busy
        gate.set()
        assert await answer(reader) == (200, "at last")
        assert (await answer(reader))[1].startswith("GET /b")
        assert not crowd.busy


async def test_a_question_ends_with_its_asker() -> None:
    asked, cancelled = asyncio.Event(), asyncio.Event()

    async def for_ever() -> Answer:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    crowd = Crowd(9)
    async with connected(lambda _: for_ever(), crowd) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await asked.wait()
        writer.close()
        async with asyncio.timeout(PATIENCE):
            await cancelled.wait()
        await asyncio.sleep(0)
        assert len(crowd) == 0
