"""A server that speaks raw bytes, and a client of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from proxy.wire.pool import Origin, request
from proxy.wire.posts import Posts
from tests.client import PATIENCE

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Speaks raw bytes. `says` are its next answers; b"" closes the connection instead."""

    def __init__(self) -> None:
        self.says: list[bytes] = []
        self.bodies: list[bytes] = []
        self.heads: list[bytes] = []
        self.connections = 0
        self.before: Callable[[], Awaitable[object]] | None = None
        self.open: set[asyncio.StreamWriter] = set()

    async def close(self) -> None:
        """End what is open, and see that it has."""
        for writer in list(self.open):
            writer.transport.abort()
        await asyncio.sleep(0.01)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(size))
                if self.before is not None:
                    await self.before()
                said = self.says.pop(0) if self.says else OK
                writer.write(said)
                await writer.drain()
                if not said or b"close" in said:
                    break
        writer.close()


class Parts:
    """A client, its server, and where that is."""

    def __init__(self, server: Server, origin: Origin) -> None:
        self.server = server
        self.origin = origin
        self.posts = Posts()

    async def post(self, body: bytes = b"body") -> int:
        _, head = request("POST", f"http://{self.origin.name}/a?b=c", {"X-Some": "header"})
        async with asyncio.timeout(PATIENCE):
            return await self.posts.post(self.origin, head, body)


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    one = Parts(server, Origin("127.0.0.1", port, tls=False))
    yield one
    one.posts.close()
    await server.close()
    listening.close()
