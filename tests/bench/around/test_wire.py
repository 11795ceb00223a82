"""HTTP in whatever pieces it arrives."""

from __future__ import annotations

import asyncio

import pytest

from bench.around.wire import Connection

POST = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
CHUNKED = (
    b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n"
)
GET = b"GET /c?d=e HTTP/1.1\r\nHost: x\r\n\r\n"


class Seen(Connection):
    """Keeps its requests, and what it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[str, str, bytes]] = []

    def request(self, method: str, target: str, body: bytes) -> None:
        self.requests.append((method, target, body))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_requests_in_pieces(size: int) -> None:
    seen = Seen()
    data = POST + CHUNKED + GET
    for start in range(0, len(data), size):
        seen.data_received(data[start : start + size])
    assert seen.requests == [
        ("POST", "/a", b"abc"),
        ("POST", "/b", b"abc"),
        ("GET", "/c?d=e", b""),
    ]


async def test_an_answer() -> None:
    class Echo(Connection):
        def request(self, method: str, target: str, body: bytes) -> None:
            del method, target
            self.answer(201, body, "text/plain")

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    writer.write(POST)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert head.startswith("http/1.1 201 ")
    assert "content-length: 3" in head
    assert await reader.readexactly(3) == b"abc"
    writer.close()
    server.close()
