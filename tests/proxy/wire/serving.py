"""A server that writes byte for byte what it is told, and a client of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from proxy.wire.answer import Answer
from proxy.wire.client import Client
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
