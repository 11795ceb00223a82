"""Whether a port is free, who has it, and who is connected to it."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from supervisor.errors import OutOfResources
from supervisor.machine import ports
from tests.client import PATIENCE
from tests.processes import ROOT, free_port, until


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as server:
        yield server.getsockname()[1]


def test_a_port_that_is_listened_on_is_not_free_even_if_it_could_be_shared(taken: int) -> None:
    assert not ports.is_free("127.0.0.1", taken)
    assert not ports.is_free("0.0.0.0", taken)  # noqa: S104 - as an engine would
    assert ports.is_free("127.0.0.1", free_port())


def test_an_address_that_this_machine_does_not_have_is_not_free() -> None:
    assert not ports.is_free("192.0.2.1", free_port())
    assert not ports.is_ours("192.0.2.1")
    assert ports.is_ours("127.0.0.1")


def without_sockets(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", refuse)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_nothing_is_said_of_a_port_where_no_socket_is_left(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_sockets(monkeypatch, number)
    for look in (ports.is_free, ports.is_allowed, lambda host, _: ports.is_ours(host)):
        with pytest.raises(OutOfResources, match=r"no socket is left to try ::1 with: \w+"):
            look("::1", 8000)


def test_a_kernel_without_ipv6_has_no_address_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    without_sockets(monkeypatch, errno.EAFNOSUPPORT)
    assert not ports.is_ours("::1")
    assert not ports.is_free("::1", 8000)
    assert ports.is_allowed("::1", 8000)


#: As a user without a right; what is imported later may not be readable for that one.
AS_NOBODY = """
import os, sys
from supervisor.machine import ports
from supervisor.doctor import machine
from supervisor.errors import ConfigurationError
from supervisor.planning import settings
from supervisor.worker import preflight
if os.getuid() == 0:
    os.setuid(65534)
env = {"WORKER_MODE": "load-balancer", "PORT": "1", "PORT_HEALTH": sys.argv[1]}
print(ports.is_allowed("127.0.0.1", 1), ports.is_allowed("0.0.0.0", int(sys.argv[1])))
print(machine._port(*settings(env).listening[0]))
try:
    preflight.check_ports(settings(env))
except ConfigurationError as refused:
    print(refused.exit_code, refused)
"""


def test_a_port_to_which_this_user_has_no_right_is_refused_before_an_engine_is_started() -> None:
    """Load-balancer mode has port 80 by default. The engine would be started again and again."""
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if first < 2:
        pytest.skip("on this machine every user has every port")
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(free_port())],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    allowed, line, refused = done.stdout.splitlines()
    assert allowed == "False True"
    assert "1 may not be listened on by this user (uid " in line
    assert refused.startswith("78 port 1 may not be listened on by this user (uid ")
    assert refused.endswith("; set PORT to one from 1024 on, such as 8080")


def test_the_owner_has_a_name_and_a_number(taken: int) -> None:
    assert ports.owner(taken) == f"process {psutil.Process().name()} (pid {os.getpid()})"
    assert ports.owner(free_port()) == "another process"


def test_without_psutil_nobody_can_tell(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the command line alone is installed."""
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert ports.owner(taken) == "another process"


def test_connections_are_counted_on_the_side_that_listens(taken: int) -> None:
    assert ports.connections(taken) == 0
    with (
        socket.create_connection(("127.0.0.1", taken)),
        socket.create_connection(("127.0.0.1", taken)),
    ):
        until(lambda: ports.connections(taken) == 2, what="two connections")
