"""The image's health check, run as the image runs it, and against what the worker reads."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest

from image import healthcheck
from supervisor import planning
from tests.client import PATIENCE
from tests.processes import ROOT

SCRIPT = str(ROOT / "image" / "healthcheck.py")
ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"PORT_HEALTH": "9001"},
    {"PORT_HEALTH": ' "9001" '},
    {"PORT_HEALTH": "'9001'"},
    {"PORT_HEALTH": "None"},
    {"PORT_HEALTH": '"none"'},
    {"PORT_HEALTH": " "},
    {"PORT_HEALTH": '""'},
    {"CONTROL_HOST": "0.0.0.0"},  # noqa: S104
    {"CONTROL_HOST": '"0.0.0.0"'},
    {"CONTROL_HOST": "None"},
    {"CONTROL_HOST": "::"},
    {"CONTROL_HOST": '"::1"'},
    {"CONTROL_HOST": "::1"},
    {"CONTROL_HOST": "127.0.0.9"},
    {"CONTROL_HOST": "10.0.0.5"},
    {"CONTROL_HOST": "localhost"},
    {"CONTROL_HOST": "worker-1"},
]


@pytest.mark.parametrize("env", ENVIRONMENTS, ids=str)
def test_it_asks_where_the_worker_listens(env: dict[str, str]) -> None:
    where = urlsplit(planning.settings(env).control_url)
    assert healthcheck.address(env) == (where.hostname, where.port)


@pytest.mark.parametrize("text", ["x", "0", "65536", '"'])
def test_what_no_worker_starts_with_is_a_sentence(text: str) -> None:
    assert _run(PORT_HEALTH=text) == (1, f"PORT_HEALTH={text} is not a port number")


class _Ping(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ping" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Ping) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("host", ["", '"0.0.0.0"', "None", "10.255.255.1"])
def test_a_ready_worker_passes(port: int, host: str) -> None:
    assert _run(PORT_HEALTH=f'"{port}"', CONTROL_HOST=host) == (0, "/ping says 200")


def test_nobody_who_answers_and_another_who_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        number = silent.getsockname()[1]
    code, said = _run(PORT_HEALTH=str(number))
    assert (code, said) == (1, f"nobody answers on port {number}: Connection refused")
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        thread = threading.Thread(target=_speak, args=(other,))
        thread.start()
        code, said = _run(PORT_HEALTH=str(number))
        thread.join()
    assert code == 1
    assert said.startswith(f"what answers on port {number} is no worker: ")


def _speak(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"220 mail.example.com\r\n\r\n")


def test_it_imports_nothing_of_the_workers() -> None:
    code = (
        f"import runpy, sys; runpy.run_path({SCRIPT!r});"
        "print({'supervisor', 'asyncio', 'json', 'dataclasses'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def _run(**env: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-I", SCRIPT],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert not done.stderr
    return done.returncode, done.stdout.strip()
