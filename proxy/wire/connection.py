"""One connection to the platform: an exchange at a time, an answer read for its status alone."""

from __future__ import annotations

import asyncio
from typing import cast

import httptools

_SILENCE = 30.0  # seconds without an answer
_WRITE_MOST = 256 * 1024  # bytes; beyond that others have their turn
_AFTER_A_THAW = 1.0  # seconds that an answer may still take


class StaleConnection(ConnectionError):
    """The connection was closed before anything of an answer had come."""


class Connection(asyncio.Protocol):
    """Made by the loop, once it is connected.

    `open` is whether it can be used, `used` whether it has been, `since` when it got free, on the
    loop's clock.
    """

    def __init__(self) -> None:
        self.open = False
        self.used = False
        self.since = 0.0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[int] | None = None
        self._status: int | None = None  # of an answer whose head has come
        self._begun = False  # something of it has come
        self._silence: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    async def post(self, head: bytes, body: bytes) -> int:
        """One exchange; returns the status of its answer.

        Args:
            head: of the request, up to the body's length; see `posts.request`.
            body: of the request.

        Raises:
            OSError: the connection broke, or the answer is not HTTP; StaleConnection where it was
                closed before anything was answered, TimeoutError after 30 s without an answer.
        """
        answer: asyncio.Future[int] = self._loop.create_future()
        self._answer = answer
        self._begun, self._status = False, None
        self._silence = self._loop.call_later(_SILENCE, self._too_long)
        try:
            if not self.open:
                raise StaleConnection("the connection was closed")
            if len(body) <= _WRITE_MOST:
                self._transport.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
            else:
                await self._write_parts(b"%b%d\r\n\r\n" % (head, len(body)), body)
            return await answer
        finally:
            self.used = True
            self._silence.cancel()
            self._answer = None
            heard = answer.done() and not answer.cancelled() and answer.exception() is None
            if not heard or not self.open:
                answer.cancel()
                self.abort()

    async def _write_parts(self, head: bytes, body: bytes) -> None:
        """Write a large body. An answer that comes meanwhile ends it, and the connection."""
        assert self._answer is not None  # noqa: S101 - for the type checker
        self._transport.write(head)
        for start in range(0, len(body), _WRITE_MOST):
            await self._writable.wait()
            if self._answer.done():
                self.open = False
                return
            self._transport.write(body[start : start + _WRITE_MOST])
            self._hear_again(_SILENCE)
            await asyncio.sleep(0)

    def hurry(self) -> None:
        """Give an answer that is waited for a second more."""
        if self._answer is not None:
            self._hear_again(_AFTER_A_THAW)

    def abort(self) -> None:
        """Close it at once."""
        self.open = False
        self._transport.abort()

    def _hear_again(self, seconds: float) -> None:
        if self._silence is not None:
            self._silence.cancel()
        self._silence = self._loop.call_later(seconds, self._too_long)

    def _too_long(self) -> None:
        self._fail(TimeoutError("no answer"))

    def _fail(self, reason: OSError) -> None:
        self.open = False
        self._writable.set()  # who waits to write on has to see it
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(reason)

    # --- what the transport and the parser call ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self.open = True

    def connection_lost(self, reason: Exception | None) -> None:
        """See asyncio.Protocol."""
        if reason is None and self._status is not None:
            self._answered(self._status)  # an answer may end with its connection
        kind = ConnectionError if self._begun else StaleConnection
        self._fail(kind(str(reason) if reason else "the server closed the connection"))

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as reason:
            self._fail(ConnectionError(f"the answer is not HTTP: {reason}"))
            self.abort()

    def on_headers_complete(self) -> None:
        """See httptools.HttpResponseParser."""
        status = self._parser.get_status_code()
        self._status = status if status >= 200 else None  # below: only a word on the way

    def on_message_complete(self) -> None:
        """See httptools.HttpResponseParser."""
        if self._status is None:
            return
        if self._answer is None or not self._parser.should_keep_alive():
            self.open = False
            self._transport.close()
        self._answered(self._status)

    def _answered(self, status: int) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)
