"""How requests reach the engine."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

#: The variable with the address from which jobs are taken.
JOBS_FROM = "RUNPOD_WEBHOOK_GET_JOB"
#: With this port the SDK asks nobody for jobs: it has a server of its own for them.
_JOBS_PORT = "RUNPOD_REALTIME_PORT"


class Mode(StrEnum):
    """The three ways, by the names that WORKER_MODE takes."""

    QUEUE = "queue"
    LOAD_BALANCER = "load-balancer"
    PLAIN = "plain"


def of_platform(env: Mapping[str, str]) -> Mode:
    """The mode that the platform's own variables in `env` ask for."""
    if env.get(JOBS_FROM, "").strip():
        return Mode.QUEUE
    if env.get("RUNPOD_ENDPOINT_ID", "").strip():
        return Mode.LOAD_BALANCER
    return Mode.PLAIN


def sends_jobs(env: Mapping[str, str]) -> bool:
    """Whether jobs can come to a worker with the platform's variables in `env`."""
    return any(env.get(name, "").strip() not in {"", "0"} for name in (JOBS_FROM, _JOBS_PORT))
