"""A registry of `prometheus_client` with the worker's figures.

The library takes 15 ms of CPU to import: whoever asks first pays that, long after the spawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from ...link.histogram import Histogram
from ..status import Status
from . import readings
from .names import Kind
from .readings import Reading


def registry(status: Status) -> CollectorRegistry:
    """A registry that shows at each collection what `status` knows then; it keeps nothing."""
    made = CollectorRegistry()
    made.register(_Collector(status))
    return made


def exposition(found: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The body of /metrics, and its content type.

    Args:
        found: what is told.
        accept: the Accept header; it may ask for OpenMetrics. What cannot be read of it asks for
            nothing.
    """
    encode, kind = _chosen(accept)
    return encode(found), kind


def _chosen(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    try:
        # The library takes the quotes that a parameter may have for a part of its value.
        return choose_encoder(accept.replace('"', ""))
    except (TypeError, ValueError):  # it compares a version that is none with numbers
        return choose_encoder("")


class _Collector(Collector):
    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Family]:
        """A family for each metric that there is."""
        return map(_family, readings.read(self._status))

    def describe(self) -> Iterator[Family]:
        """Nothing is looked at when this is registered."""
        return iter(())


def _family(reading: Reading) -> Family:
    metric, values = reading.metric, reading.values
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    numbers = kind(metric.full, metric.meaning, labels=metric.labels)
    spread = HistogramMetricFamily(metric.full, metric.meaning, labels=metric.labels)
    for labels, value in values.items():
        if isinstance(value, Histogram):
            spread.add_metric(labels, [*_buckets(value)], value.total)
        else:
            numbers.add_metric(labels, value)
    return spread if metric.kind is Kind.HISTOGRAM else numbers


def _buckets(value: Histogram) -> Iterator[tuple[str, float]]:
    for bound, count in value.buckets():
        yield "+Inf" if bound == math.inf else str(bound), count
