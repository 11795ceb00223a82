"""The control port under those who only want to keep it busy, and supervision beside it."""

from __future__ import annotations

import contextlib
import resource
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests import client
from tests.client import PATIENCE
from tests.processes import Worker, free_port, until

#: /ping answers within a second. On a busy machine a process may wait for the CPU as long.
WITHIN = 10.0
HALF = b"GET /ping HTTP/1.1\r\nHost: x\r\n"


def with_files(number: int) -> list[str]:
    """What starts a command that may have so many files open, and no more."""
    lowered = (
        "import os, resource, sys;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({number}, {number}));"
        "os.execvp(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-c", lowered]


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Worker]:
    """A worker in load-balancer mode that may have 1,024 files open, and no more."""
    port = str(free_port())
    environment = {
        "WORKER_MODE": "load-balancer",
        "PORT": port,
        "MAX_RESTARTS": "1",
        "DRAIN_DELAY": "0",
    }
    worker = Worker(tmp_path / "log", environment, before=with_files(1024))
    try:
        worker.until_ready()
        yield worker
    finally:
        worker.end()


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process may have as many open as the attack takes."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = before
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Attack:
    """Holds `count` connections, none of which finishes its head; a lost one is made again."""

    def __init__(self, port: int, count: int) -> None:
        self._to = ("127.0.0.1", port)
        self._held = [self._connect() for _ in range(count)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._hold)
        self._thread.start()

    def _connect(self) -> socket.socket:
        one = socket.create_connection(self._to, timeout=PATIENCE)
        one.sendall(HALF)
        one.setblocking(False)
        return one

    def _hold(self) -> None:
        while not self._over.wait(0.05):
            for number, one in enumerate(self._held):
                with contextlib.suppress(BlockingIOError):
                    with contextlib.suppress(ConnectionError):
                        if one.recv(1):
                            continue
                    one.close()
                    self._held[number] = self._connect()
                if self._over.is_set():
                    return

    def end(self) -> None:
        """Let go of all."""
        self._over.set()
        self._thread.join()
        for one in self._held:
            one.close()


def answered(worker: Worker) -> int:
    """The status of a /ping that is answered in time."""
    url = f"http://127.0.0.1:{worker.control_port}/ping"
    return client.get(url, timeout=WITHIN).status_code


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("count", [1100, 5000])
def test_connections_that_never_ask_starve_neither_ping_nor_supervision(
    limited: Worker, count: int
) -> None:
    attack = Attack(limited.control_port, count)
    try:
        for _ in range(5):
            assert answered(limited) == 200
            time.sleep(0.2)
        assert psutil.Process(limited.process.pid).num_fds() < 1024 - 128
        psutil.Process(limited.engine_pid()).kill()
        until(lambda: limited.text().count("engine spawned") == 2, what="the restart")
        until(lambda: answered(limited) == 200, what="readiness again")
    finally:
        attack.end()
    assert limited.status()["restarts"] == 1
    assert limited.text().count("\n") < 200, "the log tells of the engine, not of each connection"
    assert "Traceback" not in limited.text()
    assert limited.stop() == 0


def test_one_that_asks_for_ever_keeps_nobody_else_from_an_answer(limited: Worker) -> None:
    """500 requests a second from one client, each on a connection of its own."""
    over, asked = threading.Event(), 0
    slowest = 0.0

    def ask() -> None:
        nonlocal asked
        while not over.wait(1 / 500):
            with socket.create_connection(("127.0.0.1", limited.control_port)) as one:
                one.sendall(HALF + b"Connection: close\r\n\r\n")
                assert one.recv(100).startswith(b"HTTP/1.1 200")
            asked += 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(10):
            began = time.monotonic()
            assert answered(limited) == 200
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.2)
    finally:
        over.set()
        thread.join()
    assert asked > 50, "it asked at all"
    assert slowest < WITHIN
    assert limited.stop() == 0


def test_want_of_descriptors_is_no_failure_of_the_engine(limited: Worker) -> None:
    """More starts fail for it than MAX_RESTARTS allows failures."""
    process = psutil.Process(limited.process.pid)
    engine = limited.engine_pid()
    process.rlimit(resource.RLIMIT_NOFILE, (5, 1024))  # all below it are open
    psutil.Process(engine).kill()
    failed = "(no failure of its own): "
    until(lambda: limited.text().count(failed) >= 3, what="more tries than failures are allowed")
    assert limited.process.poll() is None
    process.rlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    until(lambda: limited.ping() == 200, what="the recovery")
    assert limited.status()["restarts"] == 1, "of the engine that was killed"
    assert limited.stop() == 0


def test_a_limit_that_is_far_too_low_is_one_sentence(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "log", before=with_files(10))
    try:
        assert worker.wait() == 78
        (line,) = worker.text().splitlines()
        assert "may have only 10 files open; at least 64 are required: raise the limit" in line
    finally:
        worker.end()
