"""Accepts the connections of the control port, also where descriptors run out."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Sequence

from ..process import descriptors
from .crowd import Crowd

log = logging.getLogger("supervisor")

#: Connections, before everything else has its turn. Until those that go for them are closed, which
#: takes three turns, they have descriptors of the reserve.
_AT_ONCE = 16
_QUEUED = 4096  # connections that wait to be accepted; the kernel may allow fewer
_PAUSE = 1.0  # seconds until the next try where nothing could be accepted
_LAST_ANSWERS = 0.5  # seconds for answers under way when the worker ends
_POLL = 0.01  # seconds
#: Of several addresses of a name, those that this machine has not are left out.
_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


async def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on `port` at each address of `host`.

    Raises:
        OSError: there is none, or one of them is taken.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    fault: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            one = socket.create_server(address, family=family, backlog=_QUEUED)
        except OSError as reason:
            fault = reason
            if reason.errno not in _NOT_HERE:
                break
            continue
        one.setblocking(False)
        sockets.append(one)
    if fault is not None and (not sockets or fault.errno not in _NOT_HERE):
        for one in sockets:
            one.close()
        raise fault
    return sockets


class Listener:
    """Accepts on `sockets` until it is closed.

    Args:
        sockets: which listen, and do not block.
        connect: makes a protocol for a connection.
        crowd: all connections.
        loop: the one that runs.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        connect: Callable[[], asyncio.Protocol],
        crowd: Crowd,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._sockets = sockets
        self._connect = connect
        self._crowd = crowd
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}
        for one in sockets:
            self._go_on(one)

    async def close(self) -> None:
        """Accept nothing more, and end every connection, if it can be once its answer is out."""
        for one in self._sockets:
            self._loop.remove_reader(one)
            if (pause := self._pauses.pop(one, None)) is not None:
                pause.cancel()
            one.close()
        self._crowd.conclude()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_ANSWERS):
                while self._crowd.busy:
                    await asyncio.sleep(_POLL)
        self._crowd.drop_all()

    def _go_on(self, one: socket.socket) -> None:
        self._pauses.pop(one, None)
        self._loop.add_reader(one, self._accept, one)

    def _accept(self, one: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, _ = one.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as reason:
                self._could_not(one, reason)
                return
            task = self._loop.create_task(self._take(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _could_not(self, one: socket.socket, reason: OSError) -> None:
        """Make room where that helps; else try again later, not at once and for ever."""
        if descriptors.lacking(reason) and self._crowd.drop_one():
            return
        log.warning("the control port takes no connection for now: %s", reason.strerror)
        self._loop.remove_reader(one)
        self._pauses[one] = self._loop.call_later(_PAUSE, self._go_on, one)

    async def _take(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._connect, accepted)
        except OSError:
            accepted.close()  # its client is gone already
