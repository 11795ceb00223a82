"""Where the jobs of queue mode come from. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...findings import Fault, Findings
from ...records import replace
from ...settings import table
from ...settings.mode import JOBS_FROM, Mode, sends_jobs
from ...settings.read import Settings, asks_for_nodes

if TYPE_CHECKING:
    from ..plan import Plan


def taken(settings: Settings, env: Mapping[str, str]) -> bool:
    """Whether a worker with this environment has jobs to answer."""
    return settings.mode is Mode.QUEUE and sends_jobs(env)


def checked(made: Plan) -> Plan:
    """`made` for a start on this machine: a fault is that it waits for jobs which nobody sends.

    It would load the model and end then. Where a plan is only shown that is no fault: RunPod sets
    the variable on its own machines.
    """
    env, cluster = made.environment, made.cluster
    waits = made.settings.mode is Mode.QUEUE  # of several nodes only the first one does
    waits &= cluster.leads if cluster is not None else not asks_for_nodes(env)
    if not waits or sends_jobs(env):
        return made
    name = table.WORKER_MODE.name
    message = f"{name}={Mode.QUEUE}, but {JOBS_FROM}, from where jobs are taken, is not set"
    remedy = (
        f"set {name}={Mode.PLAIN}, or start it on a queue endpoint of RunPod's, which sets that;"
        " `make emulate` has one for this machine"
    )
    found = Findings.of(Fault(name, Mode.QUEUE, message, remedy))
    return replace(made, findings=made.findings + found)
