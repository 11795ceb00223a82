"""POSTs of which the status is all that counts, very many of them, to a few servers.

aiohttp's own client spends ten times as much CPU on each, and posts are most of what a stream
costs. Here the head of a request is made once for each job, an answer is read for its status alone,
and everything else of HTTP is left to `httptools`, the parser of uvicorn.
"""

from __future__ import annotations

import asyncio

from proxy.wire.connection import Connection, StaleConnection
from proxy.wire.pool import Origin, Pool

_CONNECT_WITHIN = 10.0  # seconds
_SILENCE = 30.0  # seconds without an answer
_AFTER_A_THAW = 1.0  # seconds that an answer may still take
_KEPT = 15.0  # seconds


class Posts:
    """Posts bodies. Used inside one event loop."""

    def __init__(self) -> None:
        self._pools: dict[Origin, Pool[_Post]] = {}

    async def post(self, origin: Origin, head: bytes, body: bytes) -> int:
        """Send one; returns the status of the answer.

        Where a connection that was kept turns out to be closed before anything was answered, the
        request is sent again at once.

        Args:
            origin: where to.
            head: see `pool.request`.
            body: of the request.

        Raises:
            OSError: no connection, a broken one, or an answer that is not HTTP; TimeoutError where
                nothing was answered for 30 s.
        """
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(origin, _Post, _KEPT, _CONNECT_WITHIN)
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


class _Post(Connection):
    """One exchange after the other. One that is not answered leaves the connection closed."""

    _answer: asyncio.Future[int] | None = None

    async def post(self, head: bytes, body: bytes) -> int:
        """One exchange; returns the status of its answer. Raises OSError as `Posts.post`."""
        answer: asyncio.Future[int] = self.loop.create_future()
        self._answer = answer
        heard = False
        self.fail_after(_SILENCE)
        try:
            await self.write(head, body)
            status = await answer
            heard = True
            return status
        finally:
            self._answer = None
            self.fail_after(None)
            if not heard or not self.open:
                self.abort()

    def failed(self, reason: OSError) -> None:
        """See Connection."""
        if isinstance(reason, ConnectionError) and self.status is not None:
            self._answered(self.status)  # an answer may end with its connection
        super().failed(reason)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(reason)

    def thawed(self) -> None:
        """See Connection."""
        if self._answer is not None:
            self.fail_after(_AFTER_A_THAW)

    def on_message_complete(self) -> None:
        """See httptools.HttpResponseParser."""
        if self.status is None:
            return
        if self._answer is None or not self.parser.should_keep_alive():
            self.open = False
            self.transport.close()
        self._answered(self.status)

    def _answered(self, status: int) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)
