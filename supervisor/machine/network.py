"""The addresses of this machine, and how it reaches another. Imported only for several nodes."""

from __future__ import annotations

import socket
from collections.abc import Mapping

_NOT_FOR_OTHERS = ("127.", "::1", "fe80:", "169.254.")  # loopback, and those of one link alone


def interface(address: str) -> str:
    """The interface that has an address of this machine; empty where none is known to."""
    try:
        known = interfaces()
    except ImportError:  # the command line alone is installed, without dependencies
        known = {}
    loopback = known.get("127.0.0.1", "lo") if address.startswith("127.") else ""
    return known.get(address, loopback)


def listed() -> str:
    """The addresses at which others may reach this machine: `10.0.0.2 (ens1), ...`."""
    try:
        known = interfaces()
    except ImportError:
        return ""
    return ", ".join(
        f"{address} ({name})"
        for address, name in known.items()
        if not address.startswith(_NOT_FOR_OTHERS)
    )


def addresses(name: str) -> tuple[str, ...]:
    """All IP addresses of a name, those of IPv4 first, or the address itself; never none.

    Raises:
        OSError: nobody knows the name.
    """
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except UnicodeError:  # an empty part of a name, or one that is too long
        raise OSError("it is not the name of a host") from None
    every = sorted(found, key=lambda each: each[0] != socket.AF_INET)
    return tuple(str(where[0]) for _, _, _, _, where in every)


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
