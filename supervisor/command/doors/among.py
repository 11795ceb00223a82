"""Where vLLM's own processes wait for each other: on loopback, where one machine serves. Pure.

PyTorch's Gloo opens a dozen random ports for them, with one worker too, on the address of the
machine's name, and asks nobody who he is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from ..arguments import Arguments

_INTERFACE = "GLOO_SOCKET_IFNAME"
_EXECUTOR = "distributed-executor-backend"
#: Options that are about other machines, and those of data parallel that are not.
_MACHINES = frozenset({"nnodes", "node-rank", "master-addr", "headless"})
_DATA_PARALLEL = "data-parallel-"
_HERE = frozenset({"data-parallel-size", "data-parallel-rpc-port"})
#: Executors that begin workers in one machine, their own.
_LOCAL = frozenset({None, "mp", "uni"})


def on_loopback(
    env: Mapping[str, str], said: Arguments, configured: AbstractSet[str]
) -> Mapping[str, str]:
    """The variable that keeps Gloo on loopback; none where other machines may take part.

    Args:
        env: the worker's environment; what it says wins.
        said: the options of the command line.
        configured: what VLLM_CONFIG_FILE sets, as `nnodes`.
    """
    given = {each.flag.removeprefix("--") for each in said.given}
    if (
        env.get(_INTERFACE, "").strip()
        or _EXECUTOR in configured
        or said.value(f"--{_EXECUTOR}") not in _LOCAL
        or _names_machines(given | configured)
    ):
        return {}
    return {_INTERFACE: "lo"}


def _names_machines(options: Iterable[str]) -> bool:
    return any(
        name in _MACHINES or (name.startswith(_DATA_PARALLEL) and name not in _HERE)
        for name in options
    )
