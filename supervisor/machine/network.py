"""The addresses of this machine, and how it reaches another. Imported only for several nodes."""

from __future__ import annotations

import socket
from collections.abc import Mapping


def resolved(name: str) -> str:
    """The IP address of a name, or the address itself; IPv4 where there is one.

    Raises:
        OSError: nobody knows the name.
    """
    found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    addresses = [(family, str(where[0])) for family, _, _, _, where in found]
    return next((each for family, each in addresses if family == socket.AF_INET), addresses[0][1])


def local_address(other: str) -> str:
    """The own address from which this machine reaches `other`; no packet is sent.

    Args:
        other: an IP address.

    Raises:
        OSError: there is no route to it.
    """
    family = socket.AF_INET6 if ":" in other else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((other, 9))  # any port: of UDP nothing is sent
        return str(probe.getsockname()[0])


def interfaces() -> Mapping[str, str]:
    """The IP addresses of this machine: address -> the interface that has it."""
    import psutil

    return {
        each.address.partition("%")[0]: name
        for name, addresses in psutil.net_if_addrs().items()
        for each in addresses
        if each.family in {socket.AF_INET, socket.AF_INET6}
    }
