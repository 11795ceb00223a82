"""Which addresses are public; Python's own table is asked, too."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media import networks

PUBLIC = """
1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 223.255.255.255
2606:4700::1111 2a00::1 2001:4860::1 64:ff9b::808:808 ::ffff:8.8.8.8
"""
OTHERS = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.255
169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.168.1.1
198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 168.63.129.16
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:a9fe:a9fe 64:ff9b::7f00:1
64:ff9b::a00:1 64:ff9b:1::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 2001::1 2001:db8::1
2002:7f00:1::1 3fff::1 100::1 5f00::1 4000::1
"""


@pytest.mark.parametrize("written", PUBLIC.split())
def test_public(written: str) -> None:
    assert networks.is_public(ipaddress.ip_address(written))


@pytest.mark.parametrize("written", OTHERS.split())
def test_not_public(written: str) -> None:
    assert not networks.is_public(ipaddress.ip_address(written))


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_what_python_holds_for_private_is_not_public(given_: networks.Address) -> None:
    special = given_.is_private or given_.is_multicast or given_.is_loopback or given_.is_reserved
    if special and not _carries(given_):
        assert not networks.is_public(given_)


def _carries(address: networks.Address) -> bool:
    """Whether it is judged by the IPv4 address in it."""
    six = isinstance(address, ipaddress.IPv6Address)
    return six and int(address) >> 32 in {0xFFFF, 0x64FF9B << 64}


@pytest.mark.parametrize(
    ("written", "found"),
    [("fe80::1%eth0", "fe80::1"), ("8.8.8.8", "8.8.8.8"), ("x", "None"), ("", "None")],
)
def test_as_the_c_library_writes_it(written: str, found: str) -> None:
    assert str(networks.read(written)) == found
