"""An address of media, read as every parser reads it, or refused. Pure.

vLLM parses with urllib3 (older versions with urllib) and connects with aiohttp, which parses with
yarl; some tokenizers and processors fetch with requests. What these could read differently is
refused, so that what is judged here is what is fetched there: white space and control characters,
a backslash, several `@`, other alphabets in the host, and IPv4 in any form but four decimal numbers
(a C library takes 127.1, 0x7f000001 and 2130706433 for 127.0.0.1).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from proxy.media.networks import Address as IPAddress

_LONGEST = 8192  # characters of what is fetched; signed addresses have up to 2,000
_LONGEST_HOST = 253

_HTTP = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:[A-Za-z0-9._~!$&'()*+,;=-]*(?::[A-Za-z0-9._~!$&'()*+,;=-]*)?@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>[/?][^\x00-\x1f\x7f\\]*)?",
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)
_MOST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """Where an address leads: `scheme` and `host` in lower case; `ip` where the host is one."""

    scheme: str
    host: str
    ip: IPAddress | None


def is_data(text: str) -> bool:
    """Whether it holds the data itself, as vLLM tells it."""
    return text[:5].lower() == "data:"


def is_file(text: str) -> bool:
    """Whether it is a file of the engine's machine."""
    return text[:5].lower() == "file:"


def read(text: str) -> Address | None:
    """Where an http or https address leads; None where not every parser reads it alike."""
    match = _HTTP.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or int(match["port"] or 0) > _MOST_PORT:
        return None
    scheme, host = match["scheme"].lower(), match["host"].lower()
    try:
        if host.startswith("["):
            return Address(scheme, host, ipaddress.IPv6Address(host[1:-1]))
        labels = host.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return Address(scheme, host, ipaddress.IPv4Address(host))
    except ValueError:
        return None
    if len(host) > _LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    return Address(scheme, host, None)


_SHOWN = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?[\\/]*(?:[^/\\?#]*@)?(?P<host>[^/\\?#@]*)")


def host_of(text: str) -> str:
    """What stands where a host stands, for a message: without a password, path or query."""
    match = _SHOWN.match(text[:_LONGEST])
    return match["host"] if match else ""
