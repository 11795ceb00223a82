"""Answers that are read as they come, from a server that writes byte for byte what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from proxy.wire.answers import Answer, Client
from proxy.wire.connection import StaleConnection
from proxy.wire.pool import Unreachable
from tests.client import PATIENCE

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"

Serve = Callable[[asyncio.StreamWriter], Awaitable[None]]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@asynccontextmanager
async def served(
    serve: Serve, head: bytes = HEAD, silence: float = PATIENCE
) -> AsyncIterator[Client]:
    """A client of a server that writes `head` for each request, and whose rest is up to `serve`.

    The client calls the server silent after `silence` seconds.
    """
    open_ones: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_ones.add(task)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(head)
                await serve(writer)
                if writer.is_closing():
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            open_ones.discard(task)

    async with (
        asyncio.timeout(PATIENCE),
        await asyncio.start_server(handle, "127.0.0.1", 0) as server,
    ):
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = Client(url, {}, silence, PATIENCE)
        yield client
        client.close()
        for task in list(open_ones):
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)


@asynccontextmanager
async def answered(
    serve: Serve, silence: float = PATIENCE, head: bytes = HEAD
) -> AsyncIterator[Answer]:
    """One answer."""
    async with served(serve, head, silence) as client:
        answer = await client.ask("GET", "/")
        yield answer
        client.end(answer)


async def whole(stream: Answer) -> bytes:
    """What comes to the end, read as `batches` does."""
    found = b""
    while data := stream.ready() or await stream.read():
        found += data
    return found


async def once(client: Client) -> bytes:
    """A whole exchange."""
    answer = await client.ask("GET", "/")
    try:
        return await whole(answer)
    finally:
        client.end(answer)


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
        stream.close()


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
        stream.close()
        await gone.wait()


# --- connections ---


async def say_ok(writer: asyncio.StreamWriter) -> None:
    writer.write(chunk(b"ok") + END)


class Counted:
    """Answers, and counts the connections."""

    def __init__(self, serve: Serve = say_ok) -> None:
        self.writers: list[asyncio.StreamWriter] = []
        self._serve = serve

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        if writer not in self.writers:
            self.writers.append(writer)
        await self._serve(writer)


async def test_a_connection_is_used_again_once_its_answer_was_read() -> None:
    counted = Counted()
    async with served(counted) as client:
        for _ in range(3):
            assert await once(client) == b"ok"
        assert len(counted.writers) == 1
        client.end(await client.ask("GET", "/"))  # unread
        assert await once(client) == b"ok"
        assert len(counted.writers) == 2


async def test_who_wants_a_fresh_connection_gets_one() -> None:
    counted = Counted()
    async with served(counted) as client:
        await once(client)
        client.end(await client.ask("GET", "/", fresh=True))
        assert len(counted.writers) == 2


async def test_after_a_thaw_no_old_connection_is_used() -> None:
    counted = Counted()
    async with served(counted) as client:
        await once(client)
        client.thawed()
        await once(client)
        assert len(counted.writers) == 2


async def test_an_idle_connection_that_the_server_closes_is_not_used() -> None:
    counted = Counted()
    async with served(counted) as client:
        await once(client)
        counted.writers[0].close()
        await asyncio.sleep(0.05)
        assert await once(client) == b"ok"


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


async def test_a_server_that_closes_without_a_word() -> None:
    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with served(serve, b"") as client:
        with pytest.raises(StaleConnection):
            await client.ask("GET", "/")


async def test_a_server_that_is_silent_or_not_there() -> None:
    over = asyncio.Event()

    async def serve(_writer: asyncio.StreamWriter) -> None:
        await over.wait()

    async with served(serve, b"", silence=0.2) as client:
        with pytest.raises(TimeoutError):
            await client.ask("GET", "/")
        over.set()
    with pytest.raises(Unreachable):
        await client.ask("GET", "/")


async def test_what_comes_unasked_closes_the_connection() -> None:
    """It would be taken for the next answer."""
    counted = Counted()
    async with served(counted) as client:
        await once(client)
        counted.writers[0].write(HEAD + chunk(b"not asked") + END)
        await asyncio.sleep(0.05)
        assert await once(client) == b"ok"
        assert len(counted.writers) == 2


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


async def test_errors_have_the_names_that_the_client_was_given() -> None:
    class NamedError(Exception):
        pass

    client = Client("http://127.0.0.1:1", {}, PATIENCE, PATIENCE, lambda _reason: NamedError())
    with pytest.raises(NamedError):
        await client.ask("GET", "/")
