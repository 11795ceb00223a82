"""The body of one streaming answer, read from its socket only when somebody asks."""

from __future__ import annotations

import asyncio
import contextlib
import os

import aiohttp
from aiohttp.client_proto import ResponseHandler

from proxy.clients import named_errors

_READ_MOST = 32 * 1024  # bytes in one read of a socket; a larger buffer costs more than a read
_LOOK_MOST = 8 * _READ_MOST  # bytes of one stream before the others have their turn


class Stream:
    """The body of one answer, as bytes. The engine is silent for as long as the request allows."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        protocol = self._protocol()
        self._silence = None if protocol is None else protocol.read_timeout  # seconds
        self._more = False

    @property
    def ended(self) -> bool:
        """Whether everything has been read."""
        return self._response.content.at_eof()

    @property
    def more(self) -> bool:
        """Whether the last look left something: one stream is not to hold up the others."""
        return self._more

    def ready(self) -> bytes:
        """The bytes that are there without waiting; perhaps none, and not all if they are many.

        Raises:
            StreamBroken: the connection ended before the answer did.
        """
        self._more = False
        protocol = self._protocol()
        if protocol is not None and protocol.transport is not None:
            self._take_from_kernel(protocol.transport)
        with named_errors():
            data = self._response.content.read_nowait()
        if data:
            data = self._with_the_rest(data)
            self._leave_unread()  # what is taken from aiohttp's buffer lets it read on
        return data

    async def read(self) -> bytes:
        """Wait for the next bytes, at least one; none only at the end.

        Raises:
            StreamBroken: the connection ended before the answer did.
            EngineSilent: nothing came for REQUEST_IDLE_TIMEOUT.
        """
        if (protocol := self._protocol()) is not None and protocol.transport is not None:
            _measure_silence(protocol, self._silence)
            protocol.transport.resume_reading()
        self._more = False
        with named_errors():
            data = await self._response.content.readany()
        data = self._with_the_rest(data)
        self._leave_unread()
        return data

    def close(self) -> None:
        """Close the connection; the engine then aborts the request."""
        self._response.close()

    def _with_the_rest(self, data: bytes) -> bytes:
        """`data`, and what aiohttp's parser held back until that was taken."""
        pieces = [data]
        with contextlib.suppress(aiohttp.ClientError):  # of the next look
            while piece := self._response.content.read_nowait():
                pieces.append(piece)
        return b"".join(pieces) if len(pieces) > 1 else data

    def _leave_unread(self) -> None:
        """Let what comes gather in the kernel until the next look.

        Also because aiohttp, once it has seen the end of a connection that breaks off, no longer
        gives out what came before.
        """
        protocol = None if self.ended else self._protocol()
        if protocol is not None and protocol.transport is not None:
            # The transport, not aiohttp's protocol: that would stop its parser too, in the middle
            # of what it has, and the rest would come out only with the next bytes of the socket.
            protocol.transport.pause_reading()
            _measure_silence(protocol, None)

    def _take_from_kernel(self, transport: asyncio.ReadTransport) -> None:
        """Hand aiohttp's parser what the paused socket has gathered, in one piece.

        To resume, wait for a turn of the event loop and pause again costs four times as much, and
        with hundreds of streams that is a third of this process. The end of the connection is left
        to the transport, which knows what to do.
        """
        protocol = transport.get_protocol()
        if not isinstance(protocol, asyncio.Protocol) or transport.get_extra_info("sslcontext"):
            transport.resume_reading()
            return
        for _ in range(_LOOK_MOST // _READ_MOST):
            try:
                data = os.read(transport.get_extra_info("socket").fileno(), _READ_MOST)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                protocol.data_received(data)
            if self.ended or not data:
                # Complete, and perhaps in the hands of the next request already; or at its end.
                transport.resume_reading()
                return
            if len(data) < _READ_MOST:
                return
        self._more = True  # perhaps: the last read was a full one

    def _protocol(self) -> ResponseHandler | None:
        """None once the answer is complete and its connection back in the pool, or closed."""
        connection = self._response.connection
        protocol = None if connection is None else connection.protocol
        return protocol if protocol is not None and protocol.is_connected() else None


def _measure_silence(protocol: ResponseHandler, most: float | None) -> None:
    """Let the answer fail after so many seconds without a byte; None stops the clock.

    It runs only while somebody waits for bytes: a reader that is held up, as by a platform that
    stalls, says nothing of the engine.
    """
    if protocol.read_timeout != most:
        protocol.read_timeout = most
        protocol.start_timeout()  # with None it only ends the one that runs
