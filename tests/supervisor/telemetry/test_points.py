"""Prometheus' totals become OpenTelemetry's, with nothing lost and nothing twice."""

from __future__ import annotations

from typing import Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from supervisor.telemetry.points import Points
from tests.collector import attributes


def encoded(points: Points, registry: CollectorRegistry, now: int) -> dict[str, Any]:
    """By name, as a collector gets them."""
    [resource] = encode_metrics(points.of(registry.collect(), now)).resource_metrics
    return {metric.name: metric for metric in resource.scope_metrics[0].metrics}


def test_each_kind_is_what_it_was() -> None:
    registry = CollectorRegistry()
    Gauge("x_ready", "Whether.", registry=registry).set(1)
    jobs = Counter("x_jobs_total", "Jobs.", ["outcome"], registry=registry)
    jobs.labels("answered").inc(3)
    jobs.labels("failed").inc()
    wait = Histogram("x_wait_seconds", "Wait.", buckets=(0.1, 1), registry=registry)
    for value in (0.05, 0.06, 0.5, 7.0):
        wait.observe(value)
    found = encoded(Points(Resource({}), 10), registry, 20)
    assert found["x_ready"].gauge.data_points[0].as_double == 1
    total = found["x_jobs"].sum
    assert (total.is_monotonic, total.aggregation_temporality) == (True, 2)
    assert {attributes(p.attributes)["outcome"]: p.as_double for p in total.data_points} == {
        "answered": 3,
        "failed": 1,
    }
    assert (total.data_points[0].start_time_unix_nano, total.data_points[0].time_unix_nano) == (
        10,
        20,
    )
    [spread] = found["x_wait_seconds"].histogram.data_points
    assert list(spread.explicit_bounds) == [0.1, 1.0]
    assert list(spread.bucket_counts) == [2, 1, 1]
    assert (spread.count, round(spread.sum, 2)) == (4, 7.61)
    assert not spread.HasField("min")
    assert found["x_wait_seconds"].unit == "s"
    assert set(found) == {"x_ready", "x_jobs", "x_wait_seconds"}  # nothing of when it was made


def test_a_total_that_gets_smaller_began_anew() -> None:
    points = Points(Resource({}), 1)
    for value, now, since in ((5, 10, 1), (7, 20, 1), (2, 30, 20), (3, 40, 20)):
        registry = CollectorRegistry()
        Counter("x_total", "X.", registry=registry).inc(value)
        [point] = encoded(points, registry, now)["x"].sum.data_points
        assert (point.as_double, point.start_time_unix_nano) == (value, since)
