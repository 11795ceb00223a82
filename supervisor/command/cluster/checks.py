"""What is wrong with a cluster that can be known before anything is started."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ...catalog.options import variable
from ...findings import Fault, Finding, Findings, Remark
from ...settings import table
from ...settings.read import Settings
from ..arguments import Arguments
from .options import EXECUTOR

_BACKENDS = (EXECUTOR, "--data-parallel-backend")
_RAY = "ray"


def found(settings: Settings, said: Arguments, named: str) -> Findings:
    """What is wrong, or dangerous.

    Args:
        settings: the worker's.
        said: the options that are on the command line already.
        named: `NUM_NODES=2`, by the variable that says so.
    """
    return Findings.of(*_of_ray(said, named), *_of_ports(settings), *_of_addresses(settings))


def _of_ray(said: Arguments, named: str) -> Iterator[Fault]:
    for flag in _BACKENDS:
        if said.value(flag) == _RAY:
            name = variable(flag)
            message = f"{name}={_RAY} and {named} exclude each other"
            remedy = "with Ray only the head runs the worker"
            if (
                named.partition("=")[0] in table.NUM_NODES.also
            ):  # nobody can unset what a platform sets
                remedy = f"{remedy}; set {table.CLUSTER.name}=off there"
            yield Fault(name, _RAY, message, remedy)


def _of_ports(settings: Settings) -> Iterator[Fault]:
    """Two that would listen on one port of rank 0."""
    channel, meeting = settings[table.CLUSTER_PORT], settings[table.PRIMARY_PORT]
    others = {number: "the control port" for _, _, number in settings.listening}
    others[settings.engine_port] = "the engine"
    for row, number, what in (
        (table.CLUSTER_PORT, channel, "the nodes' channel"),
        (table.PRIMARY_PORT, meeting, "the engines' meeting point"),
    ):
        if number in others:
            message = f"{others[number]} and {what} both use {number}"
            yield Fault(row.name, str(number), message, f"set {row.name} to a free port")
        others[number] = what


def _of_addresses(settings: Settings) -> Iterator[Finding]:
    leader = settings[table.PRIMARY_ADDR] or ""
    wrong = [*_of_each_address(settings, leader), *_of_leader(leader)]
    yield from wrong or _of_both_addresses(settings, leader)
    if settings[table.CLUSTER_TOKEN] is None:
        name, number = table.CLUSTER_TOKEN.name, settings[table.CLUSTER_PORT]
        message = f"{name} is not set: whoever reaches port {number} of rank 0 can stop the cluster"
        yield Remark(name, message, "set it to one secret on all nodes")


def _of_each_address(settings: Settings, leader: str) -> Iterator[Fault]:
    """What is said of an address at which no node can be found."""
    own = settings[table.NODE_ADDR] or ""
    here, there = _address(own), _address(leader)
    for row, text, address, whose in (
        (table.NODE_ADDR, own, here, "this machine"),
        (table.PRIMARY_ADDR, leader, there, "rank 0"),
    ):
        if address is None:  # PRIMARY_ADDR may be a name
            what = "no IP address" if text and row is table.NODE_ADDR else ""
        elif address.is_unspecified:  # one can listen there, and nobody can ask there
            what = "the address of no machine"
        else:
            what = "the address of a group of machines" if address.is_multicast else ""
        if what:
            remedy = f"give an address of {whose} such as 10.0.0.3"
            yield Fault(row.name, text, f"{row.name}={text} is {what}", remedy)


def _of_both_addresses(settings: Settings, leader: str) -> Iterator[Finding]:
    """What is said of addresses that others can find nodes at, or the wrong ones."""
    own = settings[table.NODE_ADDR] or ""
    here, there = _address(own), _address(leader)
    name = table.PRIMARY_ADDR.name
    if settings[table.NODE_RANK] == 0 and here and there and here != there:
        message = f"{name}={leader} is not {table.NODE_ADDR.name}={here} of rank 0, which listens"
        yield Fault(name, leader, f"{message} there", f"set {name}={here} on all nodes")
    for row, text, address in ((table.PRIMARY_ADDR, leader, there), (table.NODE_ADDR, own, here)):
        if address is not None and address.is_global:
            message = f"{row.name}={text} is public"
            yield Remark(
                row.name,
                f"{message}; vLLM's traffic between nodes is not encrypted, and who reaches it can"
                " run code",
                "give the address of a network that only the nodes are in",
            )
            break


def _of_leader(written: str) -> Iterator[Fault]:
    """A port behind the address, which vLLM takes as a part of the name."""
    host, _, port = written.rpartition(":")
    if host and ":" not in host and port.isdecimal():
        name = table.PRIMARY_ADDR.name
        remedy = f"set {name}={host} and {table.PRIMARY_PORT.name}={port}"
        yield Fault(name, written, f"{name}={written} has a port in it", remedy)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address in a text, behind which a mask may be; None for a name."""
    try:
        return ipaddress.ip_address(text.partition("/")[0])
    except ValueError:
        return None
