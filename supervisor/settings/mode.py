"""How requests reach the engine."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Mode(StrEnum):
    """The three ways, by the names that WORKER_MODE takes."""

    QUEUE = "queue"
    LOAD_BALANCER = "load-balancer"
    PLAIN = "plain"


def of_platform(env: Mapping[str, str]) -> Mode:
    """The mode that the platform's own variables in `env` ask for."""
    if env.get("RUNPOD_WEBHOOK_GET_JOB", "").strip():
        return Mode.QUEUE
    if env.get("RUNPOD_ENDPOINT_ID", "").strip():
        return Mode.LOAD_BALANCER
    return Mode.PLAIN
