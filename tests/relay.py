"""A TCP relay whose connections can die without a word, as those of a restored machine do."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Self

from tests.client import PATIENCE


class Relay:
    """Relays to a port of this machine, in a thread of its own."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._others: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._silent: list[socket.socket] = []  # kept open, and never read again
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._over = False
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        self._over = True
        self._thread.join(PATIENCE)
        for one in (self._server, *self._others, *self._silent):
            one.close()
        self._selector.close()

    def cut(self) -> None:
        """The present connections are closed for the server, and their clients are not told."""
        with self._lock:
            for one in self._others:
                self._selector.unregister(one)
                if one in self._clients:
                    self._silent.append(one)
                else:
                    one.close()
            self._others.clear()

    def _run(self) -> None:
        while not self._over:
            ready = self._selector.select(0.1)
            with self._lock:
                for key, _ in ready:
                    if key.fileobj is self._server:
                        self._accept()
                    elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._others:
                        self._pass_on(key.fileobj)

    def _accept(self) -> None:
        near, _ = self._server.accept()
        far = socket.create_connection(("127.0.0.1", self._to_port))
        self._others |= {near: far, far: near}
        self._clients.add(near)
        for one in (near, far):
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        target = self._others[source]
        with contextlib.suppress(OSError):
            if data := source.recv(1 << 16):
                target.sendall(data)
                return
        for one in (source, target):
            self._selector.unregister(one)
            del self._others[one]
            one.close()
