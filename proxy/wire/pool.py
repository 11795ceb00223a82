"""The connections to one server, kept for the next request."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import aiohappyeyeballs

from proxy.wire.connection import Connection

C = TypeVar("C", bound=Connection)

_AT_A_TIME = 64  # connections that are being made: more handshakes only delay one another
_RESOLVED_FOR = 10.0  # seconds that an address is good for


class Unreachable(ConnectionError):
    """No connection could be made."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A server: the part of a URL before its path."""

    host: str
    port: int
    tls: bool

    @property
    def name(self) -> str:
        """As the header Host has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def request(method: str, url: str, headers: Mapping[str, str]) -> tuple[Origin, bytes]:
    """Where a request for `url` goes, and its head up to the body's length. Pure.

    Raises:
        ValueError: it is no URL of http or https, or a header holds a line break.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url[:100]!r} is no URL of http or https")
    tls = parts.scheme == "https"
    origin = Origin(parts.hostname, parts.port or (443 if tls else 80), tls)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {origin.name}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header holds a line break")
    return origin, ("\r\n".join(lines) + "\r\nContent-Length: ").encode()


class Pool(Generic[C]):
    """Hands out connections: the one that was used last first. Used inside one event loop.

    Args:
        origin: the server.
        make: makes the protocol of one.
        kept: seconds for which an idle one is used again; servers close theirs later.
        connect_within: seconds.
    """

    def __init__(
        self, origin: Origin, make: Callable[[], C], kept: float, connect_within: float
    ) -> None:
        self._origin = origin
        self._make_protocol = make
        self._kept = kept
        self._connect_within = connect_within
        self._idle: list[C] = []
        self._all: set[C] = set()
        self._waiting: deque[asyncio.Future[C]] = deque()
        self._making: set[asyncio.Task[None]] = set()
        self._tls: ssl.SSLContext | None = None
        self._resolved: asyncio.Task[list[aiohappyeyeballs.AddrInfoType]] | None = None

    async def taken(self) -> C:
        """An idle connection, or the first that gets free or is made.

        Raises:
            Unreachable: none could be made.
        """
        old = asyncio.get_running_loop().time() - self._kept
        while self._idle:
            connection = self._idle.pop()
            if connection.open and connection.since > old:
                return connection
            self.drop(connection)
        place: asyncio.Future[C] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._make_some()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.put_back(place.result())
            raise

    def put_back(self, connection: C) -> None:
        """After an exchange: for the next one, or closed."""
        if not connection.open:
            self.drop(connection)
            return
        connection.since = asyncio.get_running_loop().time()
        if (place := self._next_place()) is not None:
            place.set_result(connection)
            return
        connection.free()
        self._idle.append(connection)

    def drop(self, connection: C) -> None:
        """Close one that is not to be used again."""
        connection.abort()
        self._all.discard(connection)

    def drop_idle(self) -> None:
        """Close what is idle, and ask for the server's address anew."""
        self._resolved = None
        while self._idle:
            self.drop(self._idle.pop())

    def thawed(self) -> None:
        """The process stood still: connections may be dead, and nobody would say so."""
        self.drop_idle()
        for connection in self._all:
            connection.thawed()

    def close(self) -> None:
        """Close every connection; those that were being made are not begun anew."""
        for task in self._making:
            task.remove_done_callback(self._made)
            task.cancel()
        self._making.clear()
        for connection in self._all:
            connection.abort()

    def _next_place(self) -> asyncio.Future[C] | None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                return place
        return None

    def _make_some(self) -> None:
        while len(self._making) < min(_AT_A_TIME, len(self._waiting)):
            task = asyncio.create_task(self._make())
            self._making.add(task)
            task.add_done_callback(self._made)

    def _made(self, task: asyncio.Task[None]) -> None:
        self._making.discard(task)
        self._make_some()

    async def _make(self) -> None:
        try:
            async with asyncio.timeout(self._connect_within):
                connection = await self._connected()
        except Exception as reason:  # noqa: BLE001 - a name of no host is a UnicodeError
            # All who wait hear of it: each of them decides about another try.
            why = str(reason) or f"no connection within {self._connect_within:.0f} s"
            while (place := self._next_place()) is not None:
                place.set_exception(Unreachable(why))
            return
        self._all.add(connection)
        self.put_back(connection)

    async def _connected(self) -> C:
        loop = asyncio.get_running_loop()
        if self._origin.tls and self._tls is None:
            self._tls = ssl.create_default_context()
        addresses = await self._addresses()
        connected = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=0.25, interleave=1, loop=loop
        )
        _, connection = await loop.create_connection(
            self._make_protocol,
            sock=connected,
            ssl=self._tls,
            server_hostname=self._origin.host if self._origin.tls else None,
        )
        return connection

    async def _addresses(self) -> list[aiohappyeyeballs.AddrInfoType]:
        """Asked for once, however many connections are made at a time."""
        asked = self._resolved
        if asked is None or (asked.done() and (asked.cancelled() or asked.exception() is not None)):
            asked = self._resolved = asyncio.create_task(self._resolve())
        return await asyncio.shield(asked)

    async def _resolve(self) -> list[aiohappyeyeballs.AddrInfoType]:
        loop = asyncio.get_running_loop()
        host, port = self._origin.host, self._origin.port
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        loop.call_later(_RESOLVED_FOR, self._forget)
        return list(found)

    def _forget(self) -> None:
        self._resolved = None
