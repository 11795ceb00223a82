"""The addresses of this machine."""

from __future__ import annotations

import pytest

from supervisor.machine import network


def test_a_name_and_an_address() -> None:
    assert network.resolved("localhost") == "127.0.0.1"
    assert network.resolved("127.0.0.5") == "127.0.0.5"
    with pytest.raises(OSError, match=r".+"):
        network.resolved("nobody.invalid")


def test_from_which_address_another_is_reached() -> None:
    assert network.local_address("127.0.0.5") == "127.0.0.1"


def test_the_interfaces_of_this_machine() -> None:
    assert network.interfaces()["127.0.0.1"] == "lo"
