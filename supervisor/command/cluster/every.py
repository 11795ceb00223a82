"""The nodes of a cluster as one machine can show them, which knows no address of another."""

from __future__ import annotations

from collections.abc import Mapping

from ...settings import table
from .node import Cluster
from .spawning import Here, engine_env

_ADDRESS = "ADDRESS_OF_RANK_{}"
_INTERFACE = "INTERFACE_OF_RANK_{}"


def environments(env: Mapping[str, str], size: int) -> tuple[Mapping[str, str], ...]:
    """The environment of each of `size` nodes that are set up alike but for their number."""
    own = {table.NODE_ADDR.name, table.CLUSTER.name}
    same = {name: text for name, text in env.items() if name not in own}
    same[table.NUM_NODES.name] = str(size)
    same[table.PRIMARY_ADDR.name] = table.PRIMARY_ADDR.written(env) or _ADDRESS.format(0)
    return tuple({**same, table.NODE_RANK.name: str(rank)} for rank in range(size))


def at_spawn(cluster: Cluster, env: Mapping[str, str]) -> Mapping[str, str]:
    """What the environment of its engine gets when it is spawned, by names for what is not known.

    Args:
        cluster: the node.
        env: the environment that the engine has without this; what it says wins.
    """
    rank = cluster.rank
    address = cluster.leader if cluster.leads else cluster.address or _ADDRESS.format(rank)
    return engine_env(env, Here(address, _INTERFACE.format(rank)))
