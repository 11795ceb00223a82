"""A client for very many small POSTs to a few servers, over connections that are kept.

aiohttp's own client spends ten times as much CPU on each, and posts are most of what a stream
costs. Here the head of a request is made once for each job, an answer is read for its status alone,
and everything else of HTTP is left to `httptools`, the parser of uvicorn.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohappyeyeballs

from proxy.wire.connection import Connection, StaleConnection

_CONNECT_WITHIN = 10.0  # seconds
_KEPT = 15.0  # seconds that an idle connection is used again: servers close theirs later
_AT_A_TIME = 64  # connections that are being made: more handshakes only delay one another
_RESOLVED_FOR = 10.0  # seconds that an address is good for


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


def request(url: str, headers: Mapping[str, str]) -> tuple[Origin, bytes]:
    """Where a POST to `url` goes, and its head up to the body's length. Pure.

    Raises:
        ValueError: it is no URL of http or https.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url[:100]!r} is no URL of http or https")
    tls = parts.scheme == "https"
    origin = Origin(parts.hostname, parts.port or (443 if tls else 80), tls)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {target} HTTP/1.1", f"Host: {origin.name}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header holds a line break")
    return origin, ("\r\n".join(lines) + "\r\nContent-Length: ").encode()


class Posts:
    """Posts bodies. Used inside one event loop."""

    def __init__(self) -> None:
        self._pools: dict[Origin, _Pool] = {}

    async def post(self, origin: Origin, head: bytes, body: bytes) -> int:
        """Send one; returns the status of the answer.

        Where a connection that was kept turns out to be closed before anything was answered, the
        request is sent again at once.

        Args:
            origin: where to.
            head: see `request`.
            body: of the request.

        Raises:
            OSError: no connection, a broken one, or an answer that is not HTTP; TimeoutError where
                nothing was answered for 30 s.
        """
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = _Pool(origin)
        while True:
            connection = await pool.taken()
            used = connection.used
            try:
                return await connection.post(head, body)
            except StaleConnection:
                if not used:
                    raise
            finally:
                pool.put_back(connection)

    def thawed(self) -> None:
        """The process stood still: what was connected may be dead, and nobody would say so.

        Idle connections are closed. Those that wait for an answer get a second more; then their
        post fails, and can be sent again.
        """
        for pool in self._pools.values():
            pool.thawed()

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.close()


class _Pool:
    """The connections to one server: the one that was used last is used next."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._waiting: deque[asyncio.Future[Connection]] = deque()
        self._making: set[asyncio.Task[None]] = set()
        self._tls: ssl.SSLContext | None = None
        self._resolved: asyncio.Task[list[aiohappyeyeballs.AddrInfoType]] | None = None

    async def taken(self) -> Connection:
        """An idle connection, or the first that gets free or is made."""
        old = asyncio.get_running_loop().time() - _KEPT
        while self._idle:
            connection = self._idle.pop()
            if connection.open and connection.since > old:
                return connection
            connection.abort()
        place: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._make_some()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.put_back(place.result())
            raise

    def put_back(self, connection: Connection) -> None:
        """After an exchange: for the next one, or closed."""
        if not connection.open:
            self._all.discard(connection)
            return
        connection.since = asyncio.get_running_loop().time()
        if (place := self._next_place()) is not None:
            place.set_result(connection)
        else:
            self._idle.append(connection)

    def thawed(self) -> None:
        """See Posts."""
        self._resolved = None
        for connection in self._idle:
            connection.abort()
        self._all.difference_update(self._idle)
        self._idle.clear()
        for connection in self._all:
            connection.hurry()

    def close(self) -> None:
        """Close every connection."""
        for task in self._making:
            task.cancel()
        for connection in self._all:
            connection.abort()

    def _next_place(self) -> asyncio.Future[Connection] | None:
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
            async with asyncio.timeout(_CONNECT_WITHIN):
                connection = await self._connected()
        except OSError as reason:  # TimeoutError is one
            # All who wait hear of it: each of them decides about another try.
            why = str(reason) or f"no connection within {_CONNECT_WITHIN:.0f} s"
            while (place := self._next_place()) is not None:
                place.set_exception(ConnectionError(why))
            return
        self._all.add(connection)
        self.put_back(connection)

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        if self._origin.tls and self._tls is None:
            self._tls = ssl.create_default_context()
        addresses = await self._addresses()
        connected = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=0.25, interleave=1, loop=loop
        )
        _, connection = await loop.create_connection(
            Connection,
            sock=connected,
            ssl=self._tls,
            server_hostname=self._origin.host if self._origin.tls else None,
        )
        return connection

    async def _addresses(self) -> list[aiohappyeyeballs.AddrInfoType]:
        """Asked for once, however many connections are made at a time."""
        if self._resolved is None or (
            self._resolved.done()
            and (self._resolved.cancelled() or self._resolved.exception() is not None)
        ):
            self._resolved = asyncio.create_task(self._resolve())
        return await asyncio.shield(self._resolved)

    async def _resolve(self) -> list[aiohappyeyeballs.AddrInfoType]:
        loop = asyncio.get_running_loop()
        host, port = self._origin.host, self._origin.port
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        loop.call_later(_RESOLVED_FOR, self._forget)
        return list(found)

    def _forget(self) -> None:
        self._resolved = None
