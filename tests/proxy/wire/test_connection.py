"""One exchange after the other on a connection, and all the ways in which one ends."""

from __future__ import annotations

import asyncio

import pytest

from proxy.wire import posts
from proxy.wire.pool import Origin
from tests.proxy.wire.conftest import Parts


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nlarge", 400),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 200),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201),
    ],
)
async def test_answers_of_all_forms(parts: Parts, answer: bytes, status: int) -> None:
    parts.server.says = [answer]
    assert await parts.post() == status
    assert await parts.post() == 200
    assert parts.server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 500 close\r\n\r\nthe body ends with the connection",
    ],
)
async def test_an_answer_can_end_with_its_connection(parts: Parts, answer: bytes) -> None:
    parts.server.says = [answer]
    assert await parts.post() == 500
    assert await parts.post() == 200
    assert parts.server.connections == 2


async def test_an_answer_that_breaks_off_is_told(parts: Parts) -> None:
    await parts.post()
    parts.server.says = [b"HTTP/1.1 200 OK\r\nclose: "]
    with pytest.raises(ConnectionError):
        await parts.post()


async def test_what_is_not_http_is_told(parts: Parts) -> None:
    parts.server.says = [b"SSH-2.0-close\r\n\r\n"]
    with pytest.raises(ConnectionError, match="not HTTP"):
        await parts.post()


async def test_silence_is_told(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "_SILENCE", 0.1)
    parts.server.before = asyncio.Event().wait
    with pytest.raises(TimeoutError):
        await parts.post()
    parts.server.before = None
    assert await parts.post() == 200
    assert parts.server.connections == 2


async def test_a_large_body_goes_in_pieces(parts: Parts) -> None:
    body = bytes(range(256)) * 20_000
    assert await parts.post(body) == 200
    assert parts.server.bodies == [body]


async def test_a_large_body_that_is_refused_early(parts: Parts) -> None:
    """The answer comes before the body has gone; nobody reads the rest."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as listening:
        parts.origin = Origin("127.0.0.1", listening.sockets[0].getsockname()[1], tls=False)
        assert await parts.post(b"x" * 50_000_000) == 413


async def test_after_a_thaw_a_silent_answer_is_given_up_soon(parts: Parts) -> None:
    """Long before the 30 s that it could take otherwise."""
    parts.server.before = asyncio.Event().wait
    task = asyncio.create_task(parts.post())
    while not parts.server.bodies:
        await asyncio.sleep(0.01)
    parts.posts.thawed()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(20):
            await task
