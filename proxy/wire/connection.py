"""One connection: what is written into it, and how it breaks. `posts` and `answers` read it."""

from __future__ import annotations

import asyncio
from typing import cast

import httptools

_WRITE_MOST = 256 * 1024  # bytes; beyond that others have their turn
_LATE = 1.0  # seconds: a timer that comes later says nothing of the server
_SOUND = 200  # statuses below only say that an answer is on its way


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
        self.status: int | None = None  # of an answer whose head has come
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.parser = httptools.HttpResponseParser(self)
        self._begun = False  # something of an answer has come
        self._timer: asyncio.TimerHandle | None = None
        self._patience: float | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    # --- for those who read ---

    def failed(self, reason: OSError) -> None:
        """What was asked cannot be answered any more. Extended by those who read."""
        del reason
        self.open = False
        self._writable.set()  # who waits to write on has to see it

    def thawed(self) -> None:
        """The process stood still while an answer was waited for. For those who read."""

    def free(self) -> None:
        """An exchange is over, and the connection kept for the next. For those who read."""

    async def write(self, head: bytes, body: bytes) -> None:
        """Send a request.

        Args:
            head: up to the body's length; see `request`.
            body: of the request. A large one goes in parts; an answer that comes meanwhile ends it.

        Raises:
            StaleConnection: the connection was closed already.
        """
        if not self.open:
            raise StaleConnection("the connection was closed")
        self.used, self._begun, self.status = True, False, None
        if len(body) <= _WRITE_MOST:
            self.transport.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
            return
        self.transport.write(b"%b%d\r\n\r\n" % (head, len(body)))
        for start in range(0, len(body), _WRITE_MOST):
            await self._writable.wait()
            if self.status is not None or not self.open:
                self.open = False  # for another one: this request is not whole
                return
            self.transport.write(body[start : start + _WRITE_MOST])
            self.fail_after(self._patience)
            await asyncio.sleep(0)

    def fail_after(self, seconds: float | None) -> None:
        """Fail after so many seconds of silence, in place of what was said before; None: never."""
        if self._timer is not None:
            self._timer.cancel()
        self._patience = seconds
        self._timer = None
        if seconds is not None:
            self._timer = self.loop.call_later(seconds, self._silent)

    def abort(self) -> None:
        """Close it at once."""
        self.open = False
        self.fail_after(None)
        self.transport.abort()

    def _silent(self) -> None:
        late = 0.0 if self._timer is None else self.loop.time() - self._timer.when()
        if late > _LATE:
            self.fail_after(self._patience)  # the process stood still: the server may have spoken
        else:
            self.failed(TimeoutError("no answer"))

    # --- what the transport calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self.open = True

    def connection_lost(self, reason: Exception | None) -> None:
        """See asyncio.Protocol."""
        kind = ConnectionError if self._begun else StaleConnection
        self.failed(kind(str(reason) if reason else "the server closed the connection"))

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
            self.parser.feed_data(data)
        except httptools.HttpParserError as reason:
            self.failed(ConnectionError(f"the answer is not HTTP: {reason}"))
            self.abort()

    # --- what the parser calls ---

    def on_headers_complete(self) -> None:
        """See httptools.HttpResponseParser."""
        status = self.parser.get_status_code()
        self.status = status if status >= _SOUND else None
