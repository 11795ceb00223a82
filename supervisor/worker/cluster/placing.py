"""What an engine is told of the nodes' addresses when it is spawned."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from ...command import plan as planned
from ...command.cluster import addresses
from ...command.cluster.node import Cluster
from ...command.cluster.spawning import Here, at_spawn
from ...command.plan import Plan
from ...errors import NodeRefused, OutOfResources, SupervisorError
from ...machine import network, ports
from ...machine.threads import in_thread
from ..process import descriptors
from .finding import alike

log = logging.getLogger("supervisor")

_PAUSE = 1.0  # seconds

T = TypeVar("T")


class _ForGood(NodeRefused):
    """What PRIMARY_ADDR says leads to no rank 0, and waiting does not help."""


async def placed(
    plan: Plan, cluster: Cluster, env: Mapping[str, str], rank_0: str | None = None
) -> Plan:
    """`plan` with the addresses that are true now.

    Args:
        plan: what is to be spawned.
        cluster: this node.
        env: the worker's environment.
        rank_0: its address, where that is known; else its name is looked up.

    Raises:
        OutOfResources: no descriptor or thread is left to look with.
        SupervisorError: rank 0 has no address, or there is no way to it.
    """
    return await _looked(lambda: _placed(plan, cluster, env, rank_0))


async def own_address(cluster: Cluster, within: float = 35.0) -> str:
    """The address of rank 0, which this node is, for the others.

    Its name may be new, and known to nobody yet; or of a node before it. Name servers of clusters
    keep what they know for 30 s.

    Args:
        cluster: this node.
        within: seconds for that.

    Raises:
        SupervisorError: as `placed`.
        NodeRefused: the others would look for it elsewhere.
    """
    until = time.monotonic() + within
    told = False
    while True:
        try:
            return await _looked(lambda: _found_by_others(cluster))
        except SupervisorError as reason:
            if isinstance(reason, _ForGood) or time.monotonic() >= until:
                raise
            if not told:
                log.warning("%s. Looking again for %.0f s", reason, within)
                told = True
            await asyncio.sleep(_PAUSE)


async def _looked(look: Callable[[], T]) -> T:
    """What `look` returns, in a thread. It asks the kernel for sockets, and may get none."""
    try:
        return await in_thread(look)
    except OSError as reason:
        kind = OutOfResources if descriptors.lacking(reason) else SupervisorError
        why = reason.strerror or reason
        raise kind(f"the addresses of this node could not be looked up: {why}") from None


def _placed(plan: Plan, cluster: Cluster, env: Mapping[str, str], rank_0: str | None) -> Plan:
    if cluster.leads:
        # What rank 0 knows of itself is better than its name, which may be 127.0.1.1 to itself.
        leader = address = rank_0 or _own(cluster)
    else:
        leader = rank_0 or _leader(cluster)
        address = cluster.address or _towards(leader, cluster)
    here = Here(address, network.interface(address))
    before = planned.engine_environment(env, plan)
    command, after = at_spawn(cluster, plan.command, before, leader, here)
    added = {name: text for name, text in after.items() if before.get(name) != text}
    return replace(plan, command=command, engine_env={**plan.engine_env, **added})


def _found_by_others(cluster: Cluster) -> str:
    """The address of rank 0, where PRIMARY_ADDR leads others to it, as far as can be seen here."""
    own = _own(cluster)
    if cluster.address is None:
        return own
    try:
        known = [ipaddress.ip_address(each) for each in network.addresses(cluster.leader)]
    except (OSError, ValueError):  # the others may know the name
        return own
    only_here = addresses.parsed(cluster.leader) is None and any(each.is_loopback for each in known)
    if only_here or ipaddress.ip_address(own) in known:
        return own
    raise NodeRefused(
        f"PRIMARY_ADDR={cluster.leader} is {known[0]}, and not NODE_ADDR={own} of rank 0, which"
        f" listens there; set PRIMARY_ADDR={own} on all nodes"
    )


def _own(cluster: Cluster) -> str:
    """The address of this node, which is rank 0."""
    return cluster.address or _own_of_rank_0(cluster)


def _towards(leader: str, cluster: Cluster) -> str:
    """The address from which this node reaches rank 0, which is at the address `leader`."""
    try:
        return network.local_address(leader)
    except OSError as reason:
        if descriptors.lacking(reason):  # that says nothing of the way
            raise
        raise SupervisorError(
            f"there is no way to PRIMARY_ADDR={cluster.leader}: {reason.strerror or reason}; set it"
            " to an address of rank 0 in a network that this node is in, too"
        ) from None


def _own_of_rank_0(cluster: Cluster) -> str:
    """Where PRIMARY_ADDR leads the others, which has to be here.

    The address from which this machine would reach that one may be another of its own, or the
    machine another one.
    """
    known, is_name = _addresses(cluster), addresses.parsed(cluster.leader) is None
    local = [each for each in known if is_name and ipaddress.ip_address(each).is_loopback]
    if own := next((each for each in known if each not in local and ports.is_ours(each)), None):
        return own
    if local:
        raise _ForGood(
            f"PRIMARY_ADDR={cluster.leader} is {local[0]} on this machine, which others cannot"
            " reach; set NODE_ADDR to this node's address"
        )
    where = f"{cluster.leader} ({known[0]})" if is_name else cluster.leader
    has = f"; it has {listed}" if (listed := network.listed()) else ""
    fault = NodeRefused if is_name else _ForGood  # a name may still lead to a node before
    raise fault(
        f"PRIMARY_ADDR={where} is not an address of this machine, which is rank 0{has}; correct"
        " NODE_RANK or PRIMARY_ADDR"
    )


def _leader(cluster: Cluster) -> str:
    """The address of rank 0 as another node has it, of the family of its own."""
    known = _addresses(cluster)
    if found := alike(known, cluster.address):
        return found[0]
    version = ipaddress.ip_address(str(cluster.address)).version
    raise NodeRefused(
        f"PRIMARY_ADDR={cluster.leader} is {known[0]}, and NODE_ADDR={cluster.address} is"
        f" IPv{version}; give addresses of one network"
    )


def _addresses(cluster: Cluster) -> tuple[str, ...]:
    """Those of rank 0 as this node knows them; never none."""
    try:
        return network.addresses(cluster.leader)
    except OSError as reason:
        if descriptors.lacking(reason):  # that says nothing of the name
            raise
        raise SupervisorError(
            f"PRIMARY_ADDR={cluster.leader} has no address: {reason.strerror or reason}; set it to"
            " the IP address of rank 0, or to a name that is known on this node"
        ) from None
