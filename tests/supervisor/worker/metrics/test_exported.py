"""Metrics are sent where OpenTelemetry's variables say so, and nowhere else."""

from __future__ import annotations

import pytest

from supervisor.telemetry import exporting
from supervisor.worker.metrics import exported, names, registry
from tests.client import PATIENCE
from tests.collector import Collector, attributes
from tests.supervisor.worker.metrics.test_registry import full


@pytest.mark.parametrize("env", [{}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}])
def test_they_go_nowhere_unasked(env: dict[str, str]) -> None:
    assert exported.pushing(full(), env) is None


async def test_every_one_arrives_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    # It begins with the imports of OpenTelemetry.
    monkeypatch.setattr(exporting, "_END_WITHIN", PATIENCE)
    with Collector() as collector:
        one = exported.pushing(full(), {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
        assert one is not None
        await one.last()
        [found] = collector.metrics()
    shown = {one.name for one in registry.registry(full()).collect() if one.samples}
    assert set(found) == shown
    for metric in names.METRICS:
        if (its := found.get(metric.full.removesuffix("_total"))) is None:
            continue  # it has no value yet
        kind = {"gauge": "gauge", "counter": "sum", "histogram": "histogram"}[metric.kind]
        assert its.WhichOneof("data") == kind, metric.full
        for point in getattr(its, kind).data_points:
            assert tuple(attributes(point.attributes)) == metric.labels
