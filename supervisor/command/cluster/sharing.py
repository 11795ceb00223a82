"""How a model is shared by the GPUs of several nodes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from ...catalog.options import variable
from ...findings import Applied, Fault, Finding, Findings, Remark
from ...models import shape
from ...models.placement import OnDisk
from ...settings import table
from ..arguments import Arguments
from ..gpus.parallel import DATA, PIPELINE, TENSOR, size_of
from .node import Cluster

_CONTEXT = "--prefill-context-parallel-size"
_SIZES = (TENSOR, PIPELINE, DATA)
#: Each copy is asked by itself, or all those of a node are; which copy a node has.
_BY_RANK, _BY_NODE = "--data-parallel-external-lb", "--data-parallel-hybrid-lb"
_COPY = "--data-parallel-rank"


def share(
    cluster: Cluster, said: Arguments, disk: OnDisk, named: str
) -> tuple[tuple[str, ...], Findings]:
    """The sizes that are not said, and what is wrong with those that are.

    Args:
        cluster: this node, with the GPUs of each.
        said: the options of the engine's configuration file, and those on the command line.
        disk: what that file sets, also where its value is not known.
        named: `NUM_NODES=2`.
    """
    unknown = [flag for flag in (*_SIZES, _CONTEXT) if said.last(flag) is None]
    if disk.configured & {flag.removeprefix("--") for flag in unknown}:
        return (), Findings()
    if any(said.last(flag) is not None for flag in _SIZES):
        return (), Findings.of(*_judged(cluster, said))
    if not cluster.gpus:
        message = f"{named}: no GPU is seen on this node"
        remedy = f"set {table.NUM_TRAINERS.name}, the GPUs of a node, or {variable(TENSOR)}"
        return (), Findings.of(Fault(table.NUM_TRAINERS.name, "", message, remedy))
    sizes = {TENSOR: cluster.gpus, PIPELINE: cluster.size}
    notes = {TENSOR: "the GPUs of a node", PIPELINE: "the nodes"}
    rows = [
        Applied(variable(flag), str(size), flag, "worker", f"not set: {notes[flag]}")
        for flag, size in sizes.items()
    ]
    found = Findings.of(*rows, *_undivided(cluster, disk))
    return tuple(f"{flag}={size}" for flag, size in sizes.items()), found


def serving(cluster: Cluster, said: Arguments) -> Cluster:
    """`cluster` with whether this rank answers requests of its own.

    With a balancer outside of vLLM each copy of the model is asked by itself, at the first of the
    nodes that share it.
    """
    copies = size_of(said, DATA)
    nodes = max(cluster.size // copies, 1) if copies else cluster.size
    return replace(cluster, balanced=_is_asked_from_outside(said) and cluster.rank % nodes == 0)


def _is_asked_from_outside(said: Arguments) -> bool:
    return any(_says(said, flag) for flag in (_BY_RANK, _BY_NODE, _COPY))


def _says(said: Arguments, flag: str) -> bool:
    found = said.last(flag)
    return found is not None and not found.spelt.startswith("--no-")


def _undivided(cluster: Cluster, disk: OnDisk) -> Iterator[Remark]:
    """What is said of a model that all GPUs of a node cannot share, as its config.json has it.

    It is not divided otherwise: a node without that file would not do the same.
    """
    size = shape.largest(cluster.gpus, disk.config)
    if size != cluster.gpus:
        name = variable(TENSOR)
        message = f"the model's layers cannot be shared evenly by {cluster.gpus} GPUs"
        remedy = f"set {name}={size} and {variable(PIPELINE)}={cluster.size} on all nodes"
        yield Remark(name, message, remedy)


def _judged(cluster: Cluster, said: Arguments) -> Iterator[Finding]:
    sizes = {flag: size_of(said, flag) for flag in _SIZES}
    if (context := size_of(said, _CONTEXT)) != 1:
        sizes[_CONTEXT] = context
    whole = math.prod(sizes.values())
    if not whole:  # the engine will refuse what is no number
        return
    first = next(flag for flag in _SIZES if said.last(flag) is not None)
    words = " x ".join(f"{variable(flag)} {size}" for flag, size in sizes.items())
    if whole % cluster.size:
        message = f"{words} cannot be shared evenly by {cluster.size} nodes"
        remedy = f"make their product a multiple of {cluster.size}"
        yield Fault(variable(first), str(sizes[first]), message, remedy)
        return
    copies = sizes[DATA]
    if copies > 1 and cluster.size % copies and _says(said, _BY_RANK) and not said.last(_COPY):
        message = f"{variable(DATA)} {copies} with {variable(_BY_RANK)} cannot be shared by"
        remedy = f"use a multiple of {copies} nodes, or {variable(_BY_NODE)} instead"
        yield Fault(variable(DATA), str(copies), f"{message} {cluster.size} nodes", remedy)
        return
    yield from _of_gpus(cluster, variable(first), words, whole // cluster.size)


def _of_gpus(cluster: Cluster, name: str, words: str, used: int) -> Iterator[Remark]:
    gpus = cluster.gpus
    if not gpus or used == gpus:
        return
    if used > gpus:
        message = f"{words} needs {used} GPUs on each of {cluster.size} nodes, which have {gpus}"
        yield Remark(name, message, f"use nodes with {used}, or lower {name}")
        return
    idle = gpus - used
    message = f"{idle} of the {gpus} GPUs of each node {'stays' if idle == 1 else 'stay'} idle"
    yield Remark(name, f"{message}: {words} is obeyed", f"unset {name} to use all of them")
