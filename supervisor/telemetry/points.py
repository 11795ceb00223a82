"""Prometheus' metrics as OpenTelemetry's SDK exports them: the same totals, counted once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import Metric as Family
from prometheus_client.samples import Sample

_UNITS = {"seconds": "s", "bytes": "By", "ratio": "1"}
_UNKNOWN: Any = (None, None)  # the least and the most: Prometheus does not know them
_TOTAL = AggregationTemporality.CUMULATIVE
_SERIES = tuple[str, tuple[tuple[str, str], ...]]


class Points:
    """Makes data points of what a registry collects.

    Args:
        resource: whose they are.
        began: since when totals are counted, in ns of Unix time. One that gets smaller begins anew,
            as those of an engine that was started again.
    """

    def __init__(self, resource: Resource, began: int) -> None:
        self._resource = resource
        self._began = began
        self._before: dict[_SERIES, tuple[float, int]] = {}  # a total, since when it is counted
        self._last = began

    def of(self, families: Iterable[Family], now: int) -> MetricsData:
        """All of them, as they are `now`, in ns of Unix time."""
        metrics = [self._metric(family, now) for family in families if family.samples]
        self._last = now
        scope = ScopeMetrics(InstrumentationScope("vllm-supervisor"), metrics, "")
        return MetricsData([ResourceMetrics(self._resource, [scope], "")])

    def _metric(self, family: Family, now: int) -> Metric:
        data: Sum | Gauge | Histogram
        if family.type == "histogram":
            data = Histogram(self._spread(family, now), _TOTAL)
        elif family.type == "counter":
            samples = [each for each in family.samples if each.name.endswith("_total")]
            data = Sum([self._total(each, now) for each in samples], _TOTAL, is_monotonic=True)
        else:
            data = Gauge([_point(each, None, now) for each in family.samples])
        unit = _UNITS.get(family.name.rpartition("_")[2], "")
        return Metric(family.name, family.documentation, unit, data)

    def _total(self, sample: Sample, now: int) -> NumberDataPoint:
        return _point(sample, self._since(sample.name, sample.labels, sample.value), now)

    def _spread(self, family: Family, now: int) -> list[HistogramDataPoint]:
        buckets: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
        sums: dict[tuple[tuple[str, str], ...], float] = {}
        for sample in family.samples:
            series = tuple(sorted((k, text) for k, text in sample.labels.items() if k != "le"))
            if sample.name.endswith("_bucket"):
                buckets.setdefault(series, []).append(sample)
            elif sample.name.endswith("_sum"):
                sums[series] = sample.value
        return [
            self._distribution(family.name, dict(series), found, sums.get(series, 0.0), now)
            for series, found in buckets.items()
        ]

    def _distribution(
        self,
        name: str,
        labels: Mapping[str, str],
        buckets: Sequence[Sample],
        total: float,
        now: int,
    ) -> HistogramDataPoint:
        """Prometheus' buckets hold what is in those before; OpenTelemetry's do not."""
        up_to = [each.value for each in buckets]
        counts = [int(high - low) for high, low in zip(up_to, [0.0, *up_to[:-1]], strict=True)]
        bounds = [float(each.labels["le"]) for each in buckets]
        return HistogramDataPoint(
            labels,
            self._since(name, labels, up_to[-1]),
            now,
            int(up_to[-1]),
            total,
            counts,
            [each for each in bounds if math.isfinite(each)],
            *_UNKNOWN,
        )

    def _since(self, name: str, labels: Mapping[str, str], value: float) -> int:
        series = (name, tuple(sorted(labels.items())))
        before, since = self._before.get(series, (0.0, self._began))
        since = self._last if value < before else since
        self._before[series] = (value, since)
        return since


def _point(sample: Sample, since: int | None, now: int) -> NumberDataPoint:
    return NumberDataPoint(sample.labels, since or 0, now, sample.value)
