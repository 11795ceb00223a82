"""A connection to the real engine that is cut."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import PATIENT, Endpoint
from tests.e2e.test_faults import asked
from tests.endpoint import Platform
from tests.proxy.test_process import Proxy

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


class _Cutter(socketserver.ThreadingTCPServer):
    """Stands before the engine; cuts the next `cuts` answers to POSTs after `after` bytes."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, engine_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.engine_port = engine_port
        self.cuts = self.after = self.posts = 0


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, _Cutter)
        with socket.create_connection(("127.0.0.1", server.engine_port)) as engine:
            asking = threading.Thread(target=self._ask, args=(engine,), daemon=True)
            self.cut, self.left = False, 0
            asking.start()
            while data := engine.recv(4096):
                if self.cut:
                    data = data[: self.left]
                    self.left -= len(data)
                self.request.sendall(data)
                if self.cut and self.left <= 0:
                    break
            with contextlib.suppress(OSError):
                self.request.shutdown(socket.SHUT_RDWR)

    def _ask(self, engine: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the other end has been cut
            self._hand_on(engine)

    def _hand_on(self, engine: socket.socket) -> None:
        server = self.server
        assert isinstance(server, _Cutter)
        while data := self.request.recv(65536):
            if data.startswith(b"POST"):
                server.posts += 1
                self.left = server.after  # now: the connection may be an old one
                self.cut = server.cuts > 0
                server.cuts -= self.cut
            engine.sendall(data)


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform(*PATIENT) as one:
        yield one


@pytest.fixture
def cutter(endpoint: Endpoint) -> Iterator[_Cutter]:
    with _Cutter(int(endpoint.engine_url.rsplit(":", 1)[1])) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_connection_is_cut_before_and_after_the_first_token(
    cutter: _Cutter, platform: Platform, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{cutter.server_address[1]}"
    with Proxy(platform, url, tmp_path / "log"):
        for stream in (True, False):
            cutter.cuts, cutter.after, cutter.posts = 1, 0, 0
            job = platform.submit(asked(stream=stream, tokens=20))
            assert platform.until(job, "COMPLETED")["done"] == 1
            assert cutter.posts == 2
        cutter.cuts, cutter.after, cutter.posts = 1, 4000, 0
        found = platform.until(platform.submit(asked(stream=True, tokens=500)), "FAILED")
        assert json.loads(found["error"])["code"] == 502
        assert found["posts"]
        assert cutter.posts == 1
