"""The same metrics by OTLP, where OpenTelemetry's variables ask for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...settings import otel
from ..status import Status

if TYPE_CHECKING:
    from prometheus_client import Metric

    from ...telemetry.pushing import Pushing


def pushing(status: Status, env: Mapping[str, str]) -> Pushing | None:
    """What sends them; None where they go nowhere.

    Args:
        status: what is told.
        env: the worker's.
    """
    target = otel.targets(env).metrics
    if target is None:
        return None
    from ...telemetry.pushing import Pushing

    def collect() -> Sequence[Metric]:
        from . import registry

        return list(registry.registry(status).collect())

    return Pushing(target, otel.interval(env), env, collect)
