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
            yield Fault(name, _RAY, message, "with Ray only the head runs the worker")


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
    own, leader = settings[table.NODE_ADDR], settings[table.PRIMARY_ADDR]
    if own is not None and _address(own.partition("/")[0]) is None:
        name = table.NODE_ADDR.name
        remedy = "give an address of this machine such as 10.0.0.3"
        yield Fault(name, own, f"{name}={own} is no IP address", remedy)
    yield from _of_leader(leader or "")
    for row, text in ((table.PRIMARY_ADDR, leader), (table.NODE_ADDR, own)):
        address = _address((text or "").partition("/")[0])
        if address is not None and address.is_global:
            message = f"{row.name}={text} is public"
            yield Remark(
                row.name,
                f"{message}; vLLM's traffic between nodes is not encrypted, and who reaches it can"
                " run code",
                "give the address of a network that only the nodes are in",
            )
            break
    if settings[table.CLUSTER_TOKEN] is None:
        name, number = table.CLUSTER_TOKEN.name, settings[table.CLUSTER_PORT]
        message = f"{name} is not set: whoever reaches port {number} of rank 0 can stop the cluster"
        yield Remark(name, message, "set it to one secret on all nodes")


def _of_leader(written: str) -> Iterator[Fault]:
    """A port behind the address, which vLLM takes as a part of the name."""
    host, _, port = written.rpartition(":")
    if host and ":" not in host and port.isdecimal():
        name = table.PRIMARY_ADDR.name
        remedy = f"set {name}={host} and {table.PRIMARY_PORT.name}={port}"
        yield Fault(name, written, f"{name}={written} has a port in it", remedy)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
