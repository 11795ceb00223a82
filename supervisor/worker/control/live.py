"""An answer that goes on: something new at most once a second, for as long as its asker reads."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from .message import Live

EVERY = 1.0  # seconds between two looks at what is new
QUIET_MOST = 15.0  # seconds without a byte: what stands in between may close a silent connection
READ_WITHIN = 10.0  # seconds for what waits to be read, before the connection is dropped
_UNREACHED_MOST = 20_000  # milliseconds that bytes may go without an acknowledgement

_SIGN_OF_LIFE = b":\n\n"  # a comment


class Telling:
    """Tells one asker what `live` gives.

    Args:
        transport: of its connection.
        live: the answer.
        drop: closes the connection at once.
    """

    def __init__(self, transport: asyncio.Transport, live: Live, drop: Callable[[], None]) -> None:
        self._transport = transport
        self._live = live
        self._drop = drop
        self._loop = asyncio.get_running_loop()
        self._told = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None  # while it does not read
        one = transport.get_extra_info("socket")
        if one is not None and one.family != socket.AF_UNIX:
            # One that has gone without a word would be told for a quarter of an hour.
            with contextlib.suppress(OSError):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREACHED_MOST)

    def begin(self) -> None:
        """Say what there is, and go on."""
        self._transport.write(self._live.head())
        self._tell()

    def pause(self) -> None:
        """It does not read: nothing more is said, and soon it is dropped."""
        if self._patience is None:
            self._patience = self._loop.call_later(READ_WITHIN, self._drop)

    def resume(self) -> None:
        """It has read what waited."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def end(self) -> None:
        """Say nothing more."""
        for timer in (self._timer, self._patience):
            if timer is not None:
                timer.cancel()

    def last(self) -> None:
        """Say what is new by now, and nothing more."""
        if self._patience is None:
            self._transport.write(self._live.news())
        self.end()

    def _tell(self) -> None:
        self._timer = self._loop.call_later(EVERY, self._tell)
        if self._patience is not None:
            return
        news, now = self._live.news(), self._loop.time()
        if not news and now - self._told >= QUIET_MOST:
            news = _SIGN_OF_LIFE
        if news:
            self._told = now
            self._transport.write(news)
