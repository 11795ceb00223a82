"""What is wrong with a cluster that can be known before anything is started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...catalog.options import variable
from ...findings import Fault, Findings, Remark
from ...settings import table
from ...settings.read import Settings
from ..arguments import Arguments
from . import addresses
from .options import EXECUTOR

_BACKENDS = (EXECUTOR, "--data-parallel-backend")
_RAY = "ray"
_NOTHING = Arguments()


def found(
    env: Mapping[str, str],
    settings: Settings,
    said: Arguments,
    named: str,
    configured: Arguments = _NOTHING,
) -> Findings:
    """What is wrong, or dangerous.

    Args:
        env: the worker's environment, for the names that were used.
        settings: the worker's.
        said: the options that are on the command line already.
        named: `NUM_NODES=2`, by the variable that says so.
        configured: the options of the engine's configuration file.
    """
    return Findings.of(
        *_of_ray(said, named, configured),
        *_of_ports(settings),
        *addresses.findings(env, settings),
        *_of_token(settings),
    )


def _of_ray(said: Arguments, named: str, configured: Arguments) -> Iterator[Fault]:
    for flag in _BACKENDS:
        if (configured + said).value(flag) == _RAY:
            name, told = variable(flag), f"{variable(flag)}={_RAY}"
            if said.last(flag) is None:
                name = table.VLLM_CONFIG_FILE.name
                told = f"{flag.removeprefix('--')}: {_RAY} in {name}"
            message = f"{told} and {named} exclude each other"
            remedy = "with Ray only the head runs the worker"
            if (
                named.partition("=")[0] in table.NUM_NODES.also
            ):  # nobody can unset what a platform sets
                remedy = f"{remedy}; set {table.CLUSTER.name}=off there"
            yield Fault(name, _RAY, message, remedy)


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


def _of_token(settings: Settings) -> Iterator[Remark]:
    if settings[table.CLUSTER_TOKEN] is None:
        name, number = table.CLUSTER_TOKEN.name, settings[table.CLUSTER_PORT]
        message = f"{name} is not set: whoever reaches port {number} of rank 0 can stop the cluster"
        yield Remark(name, message, "set it to one secret on all nodes")
