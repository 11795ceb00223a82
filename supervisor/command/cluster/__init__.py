"""Several nodes that serve one model together: who this one is, and what its engine is told. Pure.

::

    node.py      this node among the others
    reading.py   the variables that say so
    sharing.py   how the model is shared by the nodes' GPUs
    addresses.py where they find each other
    checks.py    what is wrong with them together
    options.py   the options of the engine on this node
    likeness.py  what has to be the same on all nodes
    config_file.py  the same, where VLLM_CONFIG_FILE says it
    spawning.py  what is known of addresses only when an engine is spawned
    every.py     all nodes, as one machine can show them

All but this module is imported only where several nodes are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ...catalog import Catalog
from ...findings import Fault, Findings, Ignored
from ...models.placement import OnDisk
from ...records import dataclass, field, replace
from ...settings import table
from ...settings.read import Settings, asks_for_nodes
from ..arguments import Arguments
from ..gpus import parallel

if TYPE_CHECKING:
    from .node import Cluster

#: Where one of these is wrong, nobody knows which node this is, or of how many.
_WHICH_NODE = (table.NUM_NODES, table.NODE_RANK, table.PRIMARY_ADDR, table.NODE_ADDR)


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the model runs.

    Attributes:
        said: the options that were said, without those that this node cannot take.
        tokens: those that are added.
        cluster: this node among others; None where it serves alone, or is not known.
        dropped: options that this node cannot take -> why.
        findings: what was found.
    """

    said: Arguments
    tokens: tuple[str, ...] = ()
    cluster: Cluster | None = None
    dropped: Mapping[str, str] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)

    @property
    def headless(self) -> bool:
        """Whether the engine here opens no port for requests."""
        return self.cluster is not None and self.cluster.headless

    def judged(self, found: Findings) -> Findings:
        """`found`, in which a variable that became a dropped option has no effect."""
        lost = [row for row in found.applied if row.flag in self.dropped]
        kept = tuple(row for row in found.applied if row.flag not in self.dropped)
        ignored = [Ignored(row.env, self.dropped[row.flag or ""]) for row in lost]
        return Findings(kept, (*found.ignored, *ignored), found.warnings, found.errors)


def place(
    env: Mapping[str, str],
    settings: Settings,
    catalog: Catalog | None,
    said: Arguments,
    disk: OnDisk,
) -> Placed:
    """Among which GPUs of which nodes the model is divided.

    Args:
        env: the worker's environment.
        settings: the worker's.
        catalog: what the engine accepts.
        said: the options that are on the command line already; they win.
        disk: the GPUs of this machine, and what the engine's configuration file sets.
    """
    if catalog is None:
        return Placed(said)
    if not asks_for_nodes(env):
        tokens, found = parallel.divide(said, disk)
        return Placed(said, tokens, findings=found)
    from . import checks, config_file, options, reading, sharing

    of_file = config_file.arguments(disk.configuration, catalog)
    whole = of_file + said
    node, of_node = reading.read(env, settings, disk.gpus)
    named = reading.sized(env, settings)
    shared, of_sizes = sharing.share(node, whole, disk, named)
    node = sharing.serving(node, whole)
    tokens, of_options = options.options(node, catalog, said, settings, disk.configured, of_file)
    found = of_node + of_sizes + of_options + checks.found(env, settings, said, named, of_file)
    if of_node.errors or settings[table.NODE_RANK] is None:  # nobody knows which node this is
        return Placed(said, findings=replace(found, applied=()))
    dropped = options.refused(node, said)
    return Placed(
        Arguments(tuple(each for each in said.given if each.flag not in dropped)),
        (*tokens, *shared),
        node,
        dropped,
        found,
    )


def answers_jobs(
    env: Mapping[str, str], cluster: Cluster | None, errors: Iterable[Fault] = ()
) -> bool:
    """Whether a worker that cannot start may tell the jobs of its endpoint why.

    Of several nodes only rank 0 may. And the others may serve without one that is wrong about which
    node it is.

    Args:
        env: the worker's environment.
        cluster: this node among others; None where it serves alone, or is not known.
        errors: why it cannot start.
    """
    wrong = {error.env.replace("--no-", "--", 1) for error in errors}
    if wrong & {name for row in _WHICH_NODE for name in (row.name, *row.also)}:
        return False
    if cluster is None:
        return not asks_for_nodes(env)
    from .options import OF_NODE

    return cluster.leads and not wrong & OF_NODE
