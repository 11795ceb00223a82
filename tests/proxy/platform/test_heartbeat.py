"""Pings: what is asked, over which connection, and what is said where one fails."""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from runpod.serverless.modules import rp_ping
from runpod.serverless.modules.worker_state import PingJobMirror

from proxy.platform import heartbeat
from proxy.platform.heartbeat import Heart
from tests.client import PATIENCE
from tests.processes import free_port, until


class Platform(ThreadingHTTPServer):
    """Takes pings over connections that stay open."""

    daemon_threads = True

    def __init__(self) -> None:
        self.pings: list[dict[str, list[str]]] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Ping)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/ping?gpu=none"


class _Ping(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Platform

    def do_GET(self) -> None:
        self.server.pings.append(parse_qs(urlsplit(self.path).query))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_said: object) -> None: ...


class Hole:
    """In the way to the platform: what is connected when it falls silent never hears of it."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._silent = threading.Event()
        self.swallowed = b""
        self.connections = 0
        self._sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port = self._sockets[0].getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def fall_silent(self) -> None:
        """Connections stay open and carry nothing; new ones work."""
        self._silent.set()
        self._silent = threading.Event()

    def close(self) -> None:
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                ours, _ = self._sockets[0].accept()
            except OSError:
                return
            self.connections += 1
            its = socket.create_connection(("127.0.0.1", self._to))
            self._sockets += [ours, its]
            for one, other in ((ours, its), (its, ours)):
                threading.Thread(
                    target=self._carry, args=(one, other, self._silent), daemon=True
                ).start()

    def _carry(self, one: socket.socket, other: socket.socket, silent: threading.Event) -> None:
        try:
            while data := one.recv(65536):
                if silent.is_set():
                    self.swallowed += data
                else:
                    other.sendall(data)
        except OSError:
            return


@pytest.fixture
def platform() -> Iterator[Platform]:
    one = Platform()
    yield one
    one.shutdown()
    one.server_close()


class Jobs:
    def get(self) -> str:
        return "a,b"


def test_a_ping_names_the_jobs_in_hand(platform: Platform) -> None:
    with requests.Session() as session:
        Heart(session, platform.url, 10, Jobs()).ping()
        Heart(session, platform.url, 10).ping()
    first, second = platform.pings
    assert (first["job_id"], first["gpu"]) == (["a,b"], ["none"])
    assert first["runpod_version"]
    assert "job_id" not in second


@pytest.mark.parametrize(("pause", "connections"), [(14.0, 1), (16.0, 2)])
def test_after_a_freeze_a_ping_takes_a_new_connection(
    platform: Platform, pause: float, connections: int
) -> None:
    """The old one may be dead, and says nothing of it; a ping would wait for its time limit."""
    now = [100.0]
    hole = Hole(platform.server_port)
    url = f"http://127.0.0.1:{hole.port}/ping"
    with requests.Session() as session:
        heart = Heart(session, url, 10.0, clock=lambda: now[0])
        now[0] += 10.0
        heart.ping()
        if connections == 2:
            hole.fall_silent()
        now[0] += pause
        heart.ping()
    assert len(platform.pings) == 2
    assert (hole.connections, hole.swallowed) == (connections, b"")
    hole.close()


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "status 401"), (500, "too many 500 error responses"), (None, "Connection refused")],
)
def test_a_ping_that_fails_is_one_short_line_without_ids(
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: int | None,
    said: str,
) -> None:
    """Over the SDK's own session, with its retries."""
    monkeypatch.setenv("RUNPOD_WEBHOOK_PING", platform.url)
    session = rp_ping.Heartbeat(retries=1)._session
    platform.status = status or 200
    url = platform.url if status else f"http://127.0.0.1:{free_port()}/ping"
    ids = ",".join(f"job-{number:036}" for number in range(100))

    class Many:
        def get(self) -> str:
            return ids

    with caplog.at_level(logging.WARNING, "proxy"):
        Heart(session, url, 10, Many()).ping()
    ours = [record.getMessage() for record in caplog.records if record.name == "proxy"]
    assert ours == [f"the platform did not take a ping ({said})"]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (requests.ConnectionError("http://host/ping?job_id=a"), "ConnectionError"),
        (requests.exceptions.InvalidURL("Failed to parse: http://["), "InvalidURL"),
        (OSError(104, "Connection reset by peer"), "Connection reset by peer"),
        (ValueError("x" * 500), "x" * 120),
    ],
)
def test_no_cause_has_the_address(reason: Exception, said: str) -> None:
    assert heartbeat._why(reason) == said


def test_the_loop_is_the_sdks_and_has_a_name_for_any_process(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.14 starts the process from a server, which takes what it runs by its name."""
    monkeypatch.setattr(rp_ping.Heartbeat, "process_loop", rp_ping.Heartbeat.process_loop)
    assert heartbeat.install({})
    target: Any = rp_ping.Heartbeat.process_loop
    assert pickle.loads(pickle.dumps(target)).func is heartbeat.beat  # noqa: S301 - our own
    monkeypatch.setenv("RUNPOD_WEBHOOK_PING", platform.url)
    monkeypatch.setenv("RUNPOD_AI_API_KEY", "key")
    context = multiprocessing.get_context("forkserver")
    mirror = PingJobMirror(ctx=context)
    mirror.set("job-1")
    process = context.Process(target=target, args=(mirror, True), daemon=True)
    process.start()
    until(lambda: platform.pings, what="a ping")
    assert platform.pings[0]["job_id"] == ["job-1"]
    process.kill()
    process.join(PATIENCE)


def test_with_another_sdk_its_own_loop_is_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("inspect.getsource", lambda _found: "class Heartbeat: ...")
    before = rp_ping.Heartbeat.process_loop
    assert not heartbeat.install({})
    assert rp_ping.Heartbeat.process_loop is before
    assert "pings are the SDK's own" in caplog.text
