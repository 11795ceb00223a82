"""Answers that are read as they come."""

from __future__ import annotations

import asyncio
import time

import pytest

from proxy.wire.answer import Answer
from tests.proxy.wire.serving import END, answered, chunk, once, served, whole


async def until_there(stream: Answer) -> bytes:
    """What is there, once something is, without waiting in `read`."""
    while not (data := stream.ready()):
        await asyncio.sleep(0.001)
    return data


async def test_a_body_is_whole() -> None:
    pieces = [b"x" * size for size in (1, 100, 40_000, 7, 300_000)]

    async def serve(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(chunk(piece))
            await asyncio.sleep(0.001)
        writer.write(END)
        await writer.drain()

    async with answered(serve) as stream:
        assert await whole(stream) == b"".join(pieces)
        assert stream.ended
        assert stream.ready() == b""


async def test_what_is_there_comes_without_waiting() -> None:
    go = asyncio.Event()

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(chunk(b"one"))
        await go.wait()
        writer.write(END)
        await writer.drain()

    async with answered(serve) as stream:
        assert await stream.read() == b"one"
        assert stream.ready() == b""
        assert not stream.ended
        go.set()
        assert await stream.read() == b""
        assert stream.ended


@pytest.mark.parametrize("looks", [0, 1, 3])
async def test_what_came_before_a_cut_is_not_lost(looks: int) -> None:
    """However the stream was read until then, and although nobody looks while the cut comes."""
    go, cut = asyncio.Event(), asyncio.Event()

    async def serve(writer: asyncio.StreamWriter) -> None:
        for _ in range(looks):
            writer.write(chunk(b"early"))
            await go.wait()
            go.clear()
        writer.write(chunk(b"last"))
        writer.close()
        await writer.wait_closed()
        cut.set()

    async with answered(serve) as stream:
        for number in range(looks):
            # The first by `read`, which leaves the socket unread; the others by `ready`.
            assert await (until_there(stream) if number else stream.read()) == b"early"
            go.set()
        if looks:
            await cut.wait()
            for _ in range(10):  # turns in which the event loop could see the cut
                await asyncio.sleep(0)
        assert await until_there(stream) == b"last"
        with pytest.raises(ConnectionError):
            await stream.read()


@pytest.mark.parametrize("by", ["read", "ready"])
async def test_between_looks_the_socket_is_not_read(by: str) -> None:
    """So a slow platform slows the engine down, and costs no memory here."""
    size = 100_000_000
    stuck = asyncio.Event()

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(chunk(b"x" * size))
        stuck.set()
        await writer.drain()
        raise AssertionError("all of it was read")

    async with answered(serve) as stream:
        await stuck.wait()
        data = await (stream.read() if by == "read" else until_there(stream))
        taken = len(data)
        for _ in range(100):
            await asyncio.sleep(0.001)
        taken += len(stream.ready())
        assert taken < size / 4
        stream.closer()()


async def test_one_look_takes_a_bounded_part_and_says_that_there_is_more() -> None:
    """Whatever a stream brings, the others have their turn."""
    size = 3_000_000
    go = asyncio.Event()

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(chunk(b"first"))
        await go.wait()
        for _ in range(size // 1000):
            writer.write(chunk(b"x" * 1000))
        writer.write(END)
        await writer.drain()

    async with answered(serve) as stream:
        assert await stream.read() == b"first"
        assert not stream.more
        go.set()
        parts = [await until_there(stream)]
        while not stream.ended:
            parts.append(await until_there(stream) if not stream.more else stream.ready())
            await asyncio.sleep(0)
        assert sum(map(len, parts)) == size
        assert max(map(len, parts)) <= 300_000
        assert not stream.more


SILENCE = 0.2  # seconds


@pytest.mark.parametrize("by", ["read", "ready"])
@pytest.mark.parametrize("output", [1, 2, 3, 10, 20])
async def test_a_reader_that_is_held_up_does_not_make_the_engine_silent(
    output: int, by: str
) -> None:
    """The engine sends on while the platform stalls; nobody reads, so nothing is missed."""
    served: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def serve(writer: asyncio.StreamWriter) -> None:
        served.set_result(writer)
        await over.wait()

    async with answered(serve, SILENCE) as stream:
        writer = await served
        for _ in range(output):
            writer.write(chunk(b"one"))  # is there before anybody waits for it
            assert await (stream.read() if by == "read" else until_there(stream)) == b"one"
        writer.write(chunk(b"meanwhile") + END)
        await asyncio.sleep(2.5 * SILENCE)  # the stall is what is tried
        assert await whole(stream) == b"meanwhile"
        over.set()


@pytest.mark.parametrize("by", ["read", "ready"])
async def test_an_engine_that_is_silent_while_somebody_waits_is_named(by: str) -> None:
    """Also after something came, however that was read."""
    over = asyncio.Event()

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(chunk(b"one"))
        await over.wait()

    async with answered(serve, SILENCE) as stream:
        assert await (stream.read() if by == "read" else until_there(stream)) == b"one"
        with pytest.raises(TimeoutError):
            await stream.read()
        over.set()


async def test_a_freeze_is_no_silence_of_the_server() -> None:
    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(chunk(b"one"))
        await asyncio.sleep(SILENCE / 2)
        writer.write(chunk(b"two") + END)

    async with answered(serve, SILENCE) as stream:
        assert await stream.read() == b"one"
        reading = asyncio.create_task(stream.read())
        await asyncio.sleep(0)
        time.sleep(1.5)  # noqa: ASYNC251 - the freeze
        assert await reading == b"two"


async def test_a_stream_that_is_closed_ends_the_request() -> None:
    gone = asyncio.Event()

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(chunk(b"one"))
        try:
            while True:
                writer.write(chunk(b"more"))
                await writer.drain()
                await asyncio.sleep(0.001)
        except ConnectionError:
            gone.set()

    async with answered(serve) as stream:
        await stream.read()
        stream.closer()()
        await gone.wait()


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n", b"ok"),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok"),
    ],
)
async def test_bodies_of_all_forms(head: bytes, body: bytes) -> None:
    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(body)
        if b"1.0" in head or b"close" in head:
            writer.close()

    async with served(serve, head) as client:
        for _ in range(2):
            assert await once(client) == body


async def test_what_is_known_of_an_answer() -> None:
    head = (
        b"HTTP/1.1 404 No\r\nContent-Type: Application/JSON; charset=x\r\nContent-Length: 2\r\n\r\n"
    )

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(b"{}")

    async with answered(serve, head=head) as answer:
        assert (answer.status, answer.kind, answer.length) == (404, "application/json", 2)
        assert not answer.ended
        assert await answer.read() == b"{}"
        assert answer.ended


async def test_a_large_request_goes_in_parts_and_an_early_answer_is_read() -> None:
    head = b"HTTP/1.1 413 Large\r\nContent-Length: 5\r\n\r\n"
    over = asyncio.Event()

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(b"large")
        await over.wait()

    async with served(serve, head) as client:
        answer = await client.ask("POST", "/", b"x" * 50_000_000, kind="text/plain")
        assert answer.status == 413
        assert await whole(answer) == b"large"
        client.end(answer)
        over.set()
