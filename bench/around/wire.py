"""The least HTTP/1.1 server that a measurement needs: it must not be the bottleneck itself."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import signal
import ssl
from collections.abc import Callable
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """One connection. A subclass answers in `request`, in any order of time but one by one."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._buffer = bytearray()

    def request(self, method: str, target: str, body: bytes) -> None:
        """Called with each whole request."""
        raise NotImplementedError

    def answer(self, status: int, body: bytes = b"", kind: str = "application/json") -> None:
        """Send a whole answer; a client that is gone does not matter."""
        if not self.transport.is_closing():
            head = f"HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}"
            self.transport.write(head.encode() + b"\r\n\r\n" + body)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            if _CHUNKED.search(head):
                whole = _chunks(self._buffer, end + 4)
                if whole is None:
                    return
                body, after = whole
            else:
                length = _LENGTH.search(head)
                after = end + 4 + (int(length[1]) if length else 0)
                if len(self._buffer) < after:
                    return
                body = bytes(self._buffer[end + 4 : after])
            del self._buffer[:after]
            method, target, _ = head.decode("latin-1").split(" ", 2)
            self.request(method, target, body)


def _chunks(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    """The chunked body from `start` and where it ends; None if it is not whole yet."""
    body = b""
    while (line := buffer.find(b"\r\n", start)) >= 0:
        size = int(bytes(buffer[start:line]).split(b";")[0], 16)
        start = line + 2 + size + 2
        if len(buffer) < start:
            return None
        if not size:
            return body, start
        body += bytes(buffer[line + 2 : start - 2])
    return None


def listen(connection: Callable[[], Connection], secured: ssl.SSLContext | None = None) -> None:
    """Serve on a free port of 127.0.0.1, which is printed, until SIGTERM."""
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_listen(connection, secured))


async def _listen(connection: Callable[[], Connection], secured: ssl.SSLContext | None) -> None:
    gc.freeze()
    gc.set_threshold(100_000)  # a pause here would count as the worker's
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(connection, "127.0.0.1", 0, ssl=secured, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()
    server.close()
