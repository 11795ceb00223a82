"""The options by which vLLM serves one model on several nodes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from ...catalog import Catalog
from ...catalog.options import variable
from ...findings import Applied, Fault, Findings
from ...settings import table
from ...settings.read import Settings
from ..arguments import Arguments
from .addresses import bare
from .node import Cluster
from .spawning import MASTER

NODES = "--nnodes"
RANK = "--node-rank"
PORT = "--master-port"
HEADLESS = "--headless"
EXECUTOR = "--distributed-executor-backend"
TIMEOUT = "--distributed-timeout-seconds"
SERVERS = "--api-server-count"
#: What says which node this is: in the configuration file it would be the same on all of them.
OF_NODE = frozenset({NODES, RANK, HEADLESS, MASTER, PORT})
_NOTHING = Arguments()


def options(
    cluster: Cluster,
    catalog: Catalog,
    said: Arguments,
    settings: Settings,
    configured: AbstractSet[str] = frozenset(),
    of_file: Arguments = _NOTHING,
) -> tuple[tuple[str, ...], Findings]:
    """The tokens for this node; what the user says of an option wins.

    Args:
        cluster: this node.
        catalog: what the engine accepts.
        said: the options that are on the command line already.
        settings: the worker's, for STARTUP_TIMEOUT.
        configured: what VLLM_CONFIG_FILE sets, as `nnodes`.
        of_file: its options, which those on the command line overrule.
    """
    if catalog.complete and catalog.option(NODES) is None:
        message = f"vLLM {catalog.version} has no {NODES} and cannot share a model over nodes"
        return (), Findings.of(Fault(table.NUM_NODES.name, "", message, "use 0.12 or newer"))
    rows = [
        Applied(name, value, flag, "worker")
        for flag, value, name in _wanted(cluster, settings)
        if said.last(flag) is None
        and (flag in OF_NODE or flag.removeprefix("--") not in configured)
        and (catalog.option(flag) is not None or (flag in OF_NODE and not catalog.complete))
    ]
    if cluster.headless and of_file.value(SERVERS) not in {None, "0"}:
        rows.append(Applied(variable(SERVERS), "0", SERVERS, "worker", _why_no_servers(cluster)))
    tokens = tuple(f"{row.flag}={row.value}" if row.value else f"{row.flag}" for row in rows)
    return tokens, Findings.of(
        *(row for row in rows if row.value),
        *_contradictions(cluster, said, settings),
        *_headless_in(of_file, cluster, said),
    )


def refused(cluster: Cluster, said: Arguments) -> Mapping[str, str]:
    """Options of the command line that the engine of this node refuses -> why."""
    if not cluster.headless or said.last(SERVERS) is None:
        return {}
    return {SERVERS: _why_no_servers(cluster)}


def _why_no_servers(cluster: Cluster) -> str:
    return f"rank {cluster.rank} answers no requests itself"


def _headless_in(of_file: Arguments, cluster: Cluster, said: Arguments) -> Iterator[Fault]:
    """A file that is the same on all nodes makes none of them lead."""
    told = of_file.last(HEADLESS)
    by_file = told is not None and not told.spelt.startswith("--no-")
    if by_file and not cluster.headless and said.last(HEADLESS) is None:
        name = table.VLLM_CONFIG_FILE.name
        message = f"headless in {name} and {table.NODE_RANK.name}={cluster.rank} exclude each other"
        yield Fault(name, "", message, "take it out there: the worker sets it on each node")


def _contradictions(cluster: Cluster, said: Arguments, settings: Settings) -> Iterator[Fault]:
    """What is said of this node to the engine, and is another thing than the worker goes by."""
    own_port = cluster.port != table.PRIMARY_PORT.default  # else only the engine is told
    flags = OF_NODE - {HEADLESS} - (set() if own_port else {PORT})
    for flag, value, name in _wanted(cluster, settings):
        text = said.value(flag)
        if flag in flags and text is not None and bare(text) != value:
            yield _exclusive(flag, text, f"{name}={value}")
    told = said.last(HEADLESS)
    if told is not None and told.spelt.startswith("--no-") == cluster.headless:
        yield _exclusive(told.spelt, "", f"{table.NODE_RANK.name}={cluster.rank}")


def _exclusive(flag: str, text: str, ours: str) -> Fault:
    message = f"{flag} {text}".rstrip() + f" and {ours} exclude each other"
    return Fault(flag, text, message, f"leave {flag} out: the worker sets it on each node")


def _wanted(cluster: Cluster, settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Option, value, and the variable that it follows from."""
    yield NODES, str(cluster.size), table.NUM_NODES.name
    yield RANK, str(cluster.rank), table.NODE_RANK.name
    if cluster.headless:
        yield HEADLESS, "", table.NODE_RANK.name
    yield MASTER, cluster.leader, table.PRIMARY_ADDR.name
    yield PORT, str(cluster.port), table.PRIMARY_PORT.name
    yield EXECUTOR, "mp", variable(EXECUTOR)
    seconds = math.ceil(settings[table.STARTUP_TIMEOUT])  # torch takes no 0
    yield TIMEOUT, str(seconds), table.STARTUP_TIMEOUT.name
