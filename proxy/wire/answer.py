"""An answer that is read as it comes, and only when somebody asks.

Between two looks its socket is not read at all: what comes gathers in the kernel, and
many tokens cost one wake-up.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from proxy.wire.connection import Connection

_READ_MOST = 32 * 1024  # bytes in one read of a socket; a larger buffer costs more than a read
_LOOK_MOST = 8 * _READ_MOST  # bytes of one answer before the others have their turn


class Answer(Connection):
    """An answer, and the connection that it comes on.

    `ended` is whether everything has been read, `kind` its content type, `length` the bytes of its
    body where that is said before, `more` whether the last look left something.
    """

    def __init__(self, silence: float, named: Callable[[OSError], Exception]) -> None:
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append  # the parser takes it before all else is set up
        super().__init__()
        self._silence = silence
        self._named = named
        self.kind = ""
        self.length: int | None = None
        self.ended = True
        self.more = False
        self._number = 0  # of answers on this connection so far
        self._chunked = False
        self._whole = False  # the parser has seen its end
        self._broken: OSError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._descriptor: int | None = None  # None: what comes is encrypted

    async def ask(self, head: bytes, body: bytes) -> None:
        """Send a request, and wait for the head of its answer.

        Raises:
            Exception: as `named` makes them.
        """
        self._number += 1
        self._pieces.clear()
        self.kind, self.length, self._chunked = "", None, False
        self.ended, self._whole, self.more, self._broken = False, False, False, None
        self.transport.resume_reading()
        self.fail_after(self._silence)
        try:
            await self.write(head, body)
        except OSError as reason:
            raise self._named(reason) from None
        while self.status is None:
            await self._until_something_comes()
        self.fail_after(None)
        self._pause()

    def ready(self) -> bytes:
        """The bytes that are there without waiting; perhaps none, and not all if they are many.

        Raises:
            Exception: the connection ended before the answer did; as `named` makes it.
        """
        self.more = False
        if self._comes:
            if self._descriptor is None:
                self.transport.resume_reading()
            else:
                self._take_from_kernel(self._descriptor)
        data = self._taken()
        if data and self._descriptor is None:
            self._pause()
        return data

    async def read(self) -> bytes:
        """Wait for the next bytes, at least one; none only at the end.

        Raises:
            Exception: the connection ended before the answer did, or the server was silent for too
                long; as `named` makes it.
        """
        self.more = False
        if not (data := self._taken()) and not self.ended:
            self.transport.resume_reading()
            while not (data := self._taken()) and not self.ended:
                await self._until_something_comes()
        self._pause()
        return data

    def close_with_task(self, task: asyncio.Task[Any] | None = None) -> None:
        """Close the request when a job's `task` ends; None: the one that calls this.

        A job is stopped by cancelling its task. If that hits while a batch is posted, our generator
        stays suspended, and only the garbage collector would end the request.
        """
        task = task or asyncio.current_task()
        if task is not None:
            close = self.closer()
            task.add_done_callback(lambda _task: close())

    def closer(self) -> Callable[[], None]:
        """What closes the connection, unless this answer has been read; the server then ends what
        it does. It does nothing to a later answer on the same connection.
        """
        number = self._number

        def close() -> None:
            if self._number == number and not self.ended:
                self.abort()

        return close

    # --- within ---

    @property
    def _comes(self) -> bool:
        """Whether more of the answer can come."""
        return not self._whole and self._broken is None and not self.transport.is_closing()

    def _taken(self) -> bytes:
        """What has come and was not given out."""
        if self._pieces:
            data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces.clear()
        else:
            data = b""
            if self._broken is not None and not self._whole:
                raise self._named(self._broken)
        self.ended = self._whole
        return data

    async def _until_something_comes(self) -> None:
        """Wait for the next bytes, and fail where there are none for too long.

        Only here: a reader that is held up, as by a platform that stalls, says nothing of the
        server.
        """
        if self._broken is not None:
            raise self._named(self._broken)
        self._waiter = self.loop.create_future()
        self.fail_after(self._silence)
        try:
            await self._waiter
        finally:
            self._waiter = None
            self.fail_after(None)

    def _pause(self) -> None:
        """Let what comes gather in the kernel until the next look."""
        if self._comes:
            self.transport.pause_reading()

    def _take_from_kernel(self, descriptor: int) -> None:
        """Hand the parser what the paused socket has gathered, in few pieces.

        To resume, wait for a turn of the event loop and pause again costs four times as much. The
        end of the connection is left to the transport, which knows what to do.
        """
        for _ in range(_LOOK_MOST // _READ_MOST):
            try:
                data = os.read(descriptor, _READ_MOST)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                self.data_received(data)
            if self._whole or not data:
                self.transport.resume_reading()
                return
            if len(data) < _READ_MOST:
                return
        self.more = True  # perhaps: the last read was a full one

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- what the connection, the transport and the parser call ---

    def failed(self, reason: OSError) -> None:
        """See Connection."""
        bounded = self._chunked or self.length is not None
        if self.status is not None and not bounded and not isinstance(reason, TimeoutError):
            self._whole = True  # such an answer ends with its connection
        super().failed(reason)
        if not self._whole and self._broken is None:
            self._broken = reason
        self._wake()

    def thawed(self) -> None:
        """See Connection."""
        if self._waiter is not None:
            self.fail_after(self._silence)

    def free(self) -> None:
        """See Connection: the end of an idle connection has to be seen."""
        self.transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        if transport.get_extra_info("sslcontext") is None:
            self._descriptor = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self.ended:
            self.abort()  # nobody has asked
            return
        super().data_received(data)
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools.HttpResponseParser."""
        name = name.lower()
        if name == b"content-type":
            self.kind = value.split(b";")[0].strip().decode("latin-1").lower()
        elif name == b"content-length" and value.isdigit():
            self.length = int(value)
        elif name == b"transfer-encoding":
            self._chunked = True

    def on_message_complete(self) -> None:
        """See httptools.HttpResponseParser."""
        if self.status is None:
            return
        self._whole = True
        if not self.parser.should_keep_alive():
            self.open = False
