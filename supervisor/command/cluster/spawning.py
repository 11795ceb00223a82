"""What is known only when an engine is spawned: the leader's address, and this node's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .node import Cluster

MASTER = "--master-addr"


@dataclass(frozen=True, slots=True)
class Here:
    """This node as the others reach it.

    Attributes:
        address: its IP address.
        interface: the network interface that has it; empty where that is not known.
    """

    address: str
    interface: str = ""


def at_spawn(
    cluster: Cluster,
    command: Sequence[str],
    env: Mapping[str, str],
    leader: str,
    here: Here,
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The engine's command and environment as they are spawned.

    vLLM 0.12 binds a socket to what --master-addr says as it is, so a name has to become an
    address; and the address of a name may be another one after a restart.

    Args:
        cluster: this node.
        command: the plan's.
        env: the environment that the engine would get without this; what it says wins.
        leader: the address of rank 0, resolved now.
        here: this node's own.
    """
    ours = f"{MASTER}={cluster.leader}"
    resolved = f"{MASTER}={leader}"
    completed = tuple(resolved if token == ours else token for token in command)
    return completed, {**env, **engine_env(env, here)}


def engine_env(env: Mapping[str, str], here: Here) -> dict[str, str]:
    """The variables by which vLLM, Gloo and NCCL find this node's address and interface.

    NCCL takes a name as a prefix, unless `=` stands before it: ens1 would be ens10, too.
    """
    ours = {"VLLM_HOST_IP": here.address}
    if here.interface:
        ours["GLOO_SOCKET_IFNAME"] = here.interface
        ours["NCCL_SOCKET_IFNAME"] = f"={here.interface}"
    return {name: text for name, text in ours.items() if not env.get(name, "").strip()}
