"""Which IP addresses belong to the public internet. Pure.

What IANA lists as special is not public (iana-ipv4-special-registry, iana-ipv6-special-registry):
this machine, private, shared (100.64.0.0/10) and link-local networks, examples, benchmarks,
multicast. Of IPv6 only 2000::/3 is given out to the public. An address that carries an IPv4 address
is what that is: mapped (::ffff:0:0/96) and translated ones (64:ff9b::/96).
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

_NOT_PUBLIC = tuple(
    IPv4Network(written)
    for written in """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
    224.0.0.0/3
    168.63.129.16/32
    """.split()  # the last: where Azure answers its own machines
)
_GIVEN_OUT = IPv6Network("2000::/3")
#: Of those: IETF protocols (Teredo too), 6to4, examples.
_SPECIAL = tuple(
    IPv6Network(written) for written in "2001::/23 2001:db8::/32 2002::/16 3fff::/20".split()
)
_TRANSLATED = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether everybody in the internet means the same machine by this address."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is None:
            return address in _GIVEN_OUT and not any(address in each for each in _SPECIAL)
        address = inner
    return not any(address in each for each in _NOT_PUBLIC)


def read(written: str) -> Address | None:
    """An address as `getaddrinfo` writes it; None where it is none."""
    try:
        return ipaddress.ip_address(written.partition("%")[0])
    except ValueError:
        return None


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _TRANSLATED else None
