"""The addresses of this machine."""

from __future__ import annotations

import pytest

from supervisor.machine import network


def test_all_addresses_of_a_name() -> None:
    first, *_ = network.addresses("localhost")
    assert first == "127.0.0.1"
    assert set(network.addresses("127.0.0.5")) == {"127.0.0.5"}
    with pytest.raises(OSError, match=r".+"):
        network.addresses("nobody.invalid")
    with pytest.raises(OSError, match="not the name of a host"):
        network.addresses("rank0..svc")


def test_from_which_address_another_is_reached() -> None:
    assert network.local_address("127.0.0.5") == "127.0.0.1"


def test_the_interfaces_of_this_machine() -> None:
    assert network.interfaces()["127.0.0.1"] == "lo"


def test_the_interface_of_an_address() -> None:
    assert network.interface("127.0.0.1") == network.interface("127.0.0.9") == "lo"


def test_the_interface_of_an_address_that_is_not_here() -> None:
    assert network.interface("192.0.2.7") == ""


def test_what_others_may_reach_is_listed() -> None:
    assert "127.0.0.1" not in network.listed()
    for address, name in network.interfaces().items():
        if not address.startswith(("127.", "::1", "fe80:", "169.254.")):
            assert f"{address} ({name})" in network.listed()
