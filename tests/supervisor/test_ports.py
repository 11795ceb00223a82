"""Whether a port is free, who has it, and who is connected to it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator

import psutil
import pytest

from supervisor import ports
from tests.processes import free_port, until


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
