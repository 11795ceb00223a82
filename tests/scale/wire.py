"""HTTP/1.1 for very many workers in one process: one exchange at a time over kept connections.

What came before a connection broke counts, as it does for a program that reads its socket.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_KEPT = 30.0  # seconds that an idle connection is used again; the emulator closes it later


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes


class Client:
    """Asks one server. A ConnectionError says that no answer came.

    Args:
        root: its URL without a path.
        key: for the header Authorization; or empty.
    """

    def __init__(self, root: str, key: str = "") -> None:
        parts = urlsplit(root)
        self._place = parts.hostname or "", parts.port or 80
        self._head = f"Host: {parts.netloc}\r\n" + (f"Authorization: {key}\r\n" if key else "")
        self._idle: list[_Connection] = []

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """One request and its answer."""
        connection = await self._connection()
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        try:
            answer = await connection.ask(head.encode() + body)
        except BaseException:
            connection.transport.abort()
            raise
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Close the connections that nobody waits for."""
        for one in self._idle:
            one.transport.close()
        self._idle.clear()

    async def _connection(self) -> _Connection:
        while self._idle:
            found = self._idle.pop()
            if found.is_good(time.monotonic()):
                return found
            found.transport.close()
        _, made = await asyncio.get_running_loop().create_connection(_Connection, *self._place)
        return made


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[Answer] | None = None
        self._lost = False
        self._used = time.monotonic()

    def is_good(self, now: float) -> bool:
        return not self._lost and now - self._used < _KEPT

    async def ask(self, request: bytes) -> Answer:
        if self._lost:
            raise ConnectionResetError("the connection is cut")
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        try:
            return await self._answer
        finally:
            self._answer, self._used = None, time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        length = _LENGTH.search(self._buffer, 0, end)
        whole = end + (int(length[1]) if length else 0)
        if len(self._buffer) >= whole and self._answer is not None and not self._answer.done():
            status = int(self._buffer.split(b" ", 2)[1])
            self._answer.set_result(Answer(status, self._buffer[end:whole]))
            self._buffer = b""

    def connection_lost(self, _: Exception | None) -> None:
        self._lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the connection is cut"))
