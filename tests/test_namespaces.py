"""The machines of a cluster's tests: what is cut passes nothing, and nothing stays behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.machine import ports
from tests import client
from tests.e2e import namespaces
from tests.e2e.namespaces import Machine, Pair
from tests.processes import free_port, until

#: Answers each line that comes with the same line.
_ECHO = """
import socket, sys
server = socket.create_server((sys.argv[1], 5000))
print(flush=True)
while True:
    connection, _ = server.accept()
    while data := connection.recv(100):
        connection.sendall(data)
"""
#: Sends a line for each that it reads, and says what comes back.
_ASK = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 5000), 10)
for line in sys.stdin:
    connection.sendall(line.encode())
    print(connection.recv(100).decode(), end="", flush=True)
"""


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with namespaces.pair() as both:
        yield both


def program(machine: Machine, text: str, *arguments: str) -> subprocess.Popen[str]:
    command = [*machine.before, sys.executable, "-c", text, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_cut_cable_passes_nothing_until_it_is_healed(pair: Pair) -> None:
    first, second = pair.machines
    with program(second, _ECHO, second.address) as echo:
        assert echo.stdout is not None
        echo.stdout.readline()
        with program(first, _ASK, second.address) as ask:
            assert ask.stdin is not None
            assert ask.stdout is not None
            print("one", file=ask.stdin, flush=True)
            assert ask.stdout.readline() == "one\n"
            pair.cut()
            other = [*first.before, sys.executable, "-c", _ASK, second.address]
            assert subprocess.run(other, input="", text=True, capture_output=True).returncode
            print("two", file=ask.stdin, flush=True)
            pair.heal()
            assert ask.stdout.readline() == "two\n", "the connection lives"
            ask.stdin.close()
        echo.kill()


def test_a_machine_has_its_own_loopback_and_is_reached_by_a_tunnel(
    pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "page").write_text("from inside")
    machine, port = pair.machines[0], free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with subprocess.Popen(
        [*machine.before, *command], cwd=tmp_path, stderr=subprocess.DEVNULL
    ) as server:
        url = f"http://127.0.0.1:{port}/page"
        assert not client.answers(url)
        machine.open(port)
        until(lambda: client.answers(url), what="an answer through the tunnel")
        assert client.get(url).text == "from inside"
        assert server.pid in namespaces.processes_of(machine)
        server.kill()


def test_nothing_is_left_of_them() -> None:
    """Also where the process that made them had no time to clean up, and what is in them is reached
    from outside.
    """
    made = """
import os, sys
from tests.e2e.namespaces import Pair
both = Pair()
both.machines[0].open(int(sys.argv[1]))
print(*(machine.pid for machine in both.machines), flush=True)
os._exit(1)
"""
    namespaces.pair().end()  # skips where there can be none
    port = free_port()
    command = [sys.executable, "-c", made, str(port)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    holders = [Path(f"/proc/{pid}") for pid in done.stdout.split()]
    assert len(holders) == 2
    until(lambda: not any((each / "exe").exists() for each in holders), what="their end")
    until(lambda: ports.is_free("127.0.0.1", port), what="the end of the tunnel")


def test_where_there_can_be_none_the_tests_are_skipped_but_fail_in_ci(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refused = tmp_path / "unshare"
    refused.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    refused.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="Operation not permitted"):
        namespaces.pair()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="namespaces cannot be made"):
        namespaces.pair()
