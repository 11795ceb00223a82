"""What an engine is told of the nodes' addresses when it is spawned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from ...command import plan as planned
from ...command.cluster.node import Cluster
from ...command.cluster.spawning import Here, at_spawn
from ...command.plan import Plan
from ...errors import SupervisorError
from ...machine import network

_PAUSE = 1.0  # seconds


async def placed(plan: Plan, cluster: Cluster, env: Mapping[str, str]) -> Plan:
    """`plan` with the addresses that are true now; `env` is the worker's environment.

    Raises:
        SupervisorError: rank 0 has no address, or there is no way to it.
    """
    return await asyncio.to_thread(_placed, plan, cluster, env)


async def own_address(cluster: Cluster, within: float = 15.0) -> str:
    """The address of this node for the others; its name may be new, and known to nobody yet.

    Args:
        cluster: this node.
        within: seconds for that.

    Raises:
        SupervisorError: as `placed`.
    """
    until = time.monotonic() + within
    while True:
        try:
            return await asyncio.to_thread(_own, cluster)
        except SupervisorError:
            if time.monotonic() >= until:
                raise
            await asyncio.sleep(_PAUSE)


def _placed(plan: Plan, cluster: Cluster, env: Mapping[str, str]) -> Plan:
    leader = _leader(cluster)
    address = _own(cluster)
    here = Here(address, network.interface(address))
    before = planned.engine_environment(env, plan)
    command, after = at_spawn(cluster, plan.command, before, leader, here)
    added = {name: text for name, text in after.items() if before.get(name) != text}
    return replace(plan, command=command, engine_env={**plan.engine_env, **added})


def _leader(cluster: Cluster) -> str:
    try:
        return network.resolved(cluster.leader)
    except OSError as reason:
        raise SupervisorError(
            f"PRIMARY_ADDR={cluster.leader} has no address: {reason.strerror or reason}; set it to"
            " the IP address of rank 0, or to a name that is known on this node"
        ) from None


def _own(cluster: Cluster) -> str:
    if cluster.address is not None:
        return cluster.address
    leader = _leader(cluster)
    try:
        return network.local_address(leader)
    except OSError as reason:
        raise SupervisorError(
            f"there is no way to PRIMARY_ADDR={cluster.leader}: {reason.strerror or reason}; set it"
            " to an address of rank 0 in a network that this node is in, too"
        ) from None
