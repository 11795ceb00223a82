"""What the variables say of this node and of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...findings import Fault, Findings
from ...settings import table
from ...settings.read import Settings
from .addresses import bare
from .node import Cluster


def read(env: Mapping[str, str], settings: Settings, gpus: int) -> tuple[Cluster, Findings]:
    """This node, and what is missing or wrong; the node is then as if it were rank 0.

    Args:
        env: the worker's environment, for the names that were used.
        settings: the worker's; NUM_NODES is over 1.
        gpus: how many are seen on this machine.
    """
    address = settings[table.NODE_ADDR]
    cluster = Cluster(
        size=settings[table.NUM_NODES],
        rank=settings[table.NODE_RANK] or 0,
        leader=bare(settings[table.PRIMARY_ADDR] or ""),
        port=settings[table.PRIMARY_PORT],
        address=None if address is None else bare(address),
        channel=settings[table.CLUSTER_PORT],
        token=settings[table.CLUSTER_TOKEN] or "",
        gpus=settings[table.NUM_TRAINERS] or gpus,
    )
    return cluster, Findings.of(*_faults(env, settings))


def sized(env: Mapping[str, str], settings: Settings) -> str:
    """`NUM_NODES=2`, by the variable that says so."""
    return f"{table.NUM_NODES.variable(env)}={settings[table.NUM_NODES]}"


def _faults(env: Mapping[str, str], settings: Settings) -> Iterator[Fault]:
    size, rank = settings[table.NUM_NODES], settings[table.NODE_RANK]
    all_of_them = f"0 to {size - 1}"
    if not table.NODE_RANK.written(env):
        name = table.NODE_RANK.name
        remedy = f"give each node its number, {all_of_them}"
        yield Fault(name, "", f"{sized(env, settings)} needs {name}", remedy)
    elif rank is not None and rank >= size:
        name = table.NODE_RANK.variable(env)
        yield Fault(name, str(rank), f"{name}={rank} is not one of {all_of_them}")
    if not table.PRIMARY_ADDR.written(env):
        name = table.PRIMARY_ADDR.name
        remedy = "set it to the address of rank 0"
        yield Fault(name, "", f"{sized(env, settings)} needs {name}", remedy)
