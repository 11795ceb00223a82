"""Where nodes find each other: what an address looks like, and what is wrong with one. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping

from ...findings import Fault, Finding, Remark
from ...settings import table
from ...settings.read import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = "[A-Za-z0-9_-]{1,63}"
_NAME = re.compile(rf"(?=.{{1,254}}$)(?:{_LABEL}\.)*(?!(?:\d+|0[xX][0-9A-Fa-f]*)\.?$){_LABEL}\.?")
_WITH_PORT = re.compile(r"(?P<host>\[[^\[\]]+\]|[^:/\[\]]+):(?P<port>\d+)")
_SHOWN = 100  # characters of a value


def bare(written: str) -> str:
    """An address without its network mask and brackets, in its usual spelling.

    `10.65.0.2/24`, as RunPod may write it, becomes `10.65.0.2`, `[fd00::2]` becomes `fd00::2`;
    what is no address stays as it is.
    """
    address = parsed(written)
    return written if address is None else str(address)


def findings(env: Mapping[str, str], settings: Settings) -> Iterator[Finding]:
    """What is wrong with the addresses, or dangerous."""
    leader = settings[table.PRIMARY_ADDR] or ""
    own = settings[table.NODE_ADDR] or ""
    name = table.PRIMARY_ADDR.variable(env)
    wrong = [
        *_of_one(table.NODE_ADDR.name, own, "an address of this machine"),
        *(_of_name(name, leader) or _of_one(name, leader, "an address of rank 0")),
    ]
    rank = settings[table.NODE_RANK]
    yield from wrong or _of_both(name, leader, own, leads=rank == 0)


def _of_one(name: str, written: str, what: str) -> Iterator[Fault]:
    """What is said of an address at which no node can be found; a host name is none of these."""
    address = parsed(written)
    if address is None:
        is_name = not written or name != table.NODE_ADDR.name
        why = "" if is_name else "no IP address"
    elif address.is_unspecified:  # one can listen there, and nobody can ask there
        why = "the address of no machine"
    elif address.version == 6 and address.is_link_local:
        why = "an address of one link alone"
    else:
        why = "the address of a group of machines" if address.is_multicast else ""
    if why:
        remedy = f"give {what} such as 10.0.0.3"
        yield Fault(name, written, f"{name}={_shown(written)} is {why}", remedy)


def _of_name(name: str, written: str) -> list[Fault]:
    """What is said of a text that is neither an address nor the name of a host."""
    if not written or parsed(written) is not None or _NAME.fullmatch(written):
        return []
    ours = table.PRIMARY_ADDR.name
    if match := _WITH_PORT.fullmatch(written):
        host = bare(match["host"])
        message = f"{name}={_shown(written)} has a port in it"
        remedy = f"set {ours}={_shown(host)} and {table.PRIMARY_PORT.name}={match['port']}"
        return [Fault(name, written, message, remedy)]
    message = f"{name}={_shown(written)} is neither an IP address nor the name of a host"
    return [Fault(name, written, message, f"set {ours} to one of these alone, such as 10.0.0.3")]


def _of_both(name: str, leader: str, own: str, *, leads: bool) -> Iterator[Finding]:
    """What is said of addresses that others can find nodes at, or the wrong ones."""
    here, there, ours = parsed(own), parsed(leader), table.PRIMARY_ADDR.name
    if here and there and here.version != there.version:
        message = f"{name}={there} is IPv{there.version}, {table.NODE_ADDR.name}={here} is not"
        yield Fault(name, leader, message, "give addresses of one network")
    elif leads and here and there and here != there:
        message = f"{name}={leader} is not {table.NODE_ADDR.name}={here} of rank 0, which listens"
        yield Fault(name, leader, f"{message} there", f"set {ours}={here} on all nodes")
    for row, text, address in ((name, leader, there), (table.NODE_ADDR.name, own, here)):
        if address is not None and address.is_global:
            yield Remark(
                row,
                f"{row}={text} is public; vLLM's traffic between nodes is not encrypted, and who"
                " reaches it can run code",
                "give the address of a network that only the nodes are in",
            )
            break


def _shown(written: str) -> str:
    line = "".join(char if char.isprintable() else repr(char)[1:-1] for char in written)
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def parsed(written: str) -> Address | None:
    """The address in a text, in brackets or before a mask; None for anything else."""
    text, _, mask = written.partition("/")
    if mask and not mask.isdecimal():
        return None
    inner = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
    try:
        return ipaddress.ip_address(inner)
    except ValueError:
        return None
