"""What each metric of the worker is now, from the totals that are kept elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from ...link.figures import (
    ANSWERED,
    CANCELLED,
    EMPTY,
    FAILED,
    JOBS,
    LOST,
    OTHER,
    REFUSED,
    RETRIED,
    SENT,
    UNANSWERED,
    Figures,
    Unresumed,
)
from ...link.histogram import Histogram
from ..lifecycle import Phase
from ..status import Status
from . import names
from .names import Metric

Labels = tuple[str, ...]  # values, in the order of the metric's labels


@dataclass(frozen=True, slots=True)
class Reading:
    """A metric, and its value for each combination of labels that there is."""

    metric: Metric
    values: Mapping[Labels, float | Histogram]


def read(status: Status) -> Iterator[Reading]:
    """Those that there are now, in the order of `names.METRICS`."""
    yield from (Reading(metric, values) for metric, values in _of_worker(status) if values)
    if (figures := status.figures()) is not None:
        for name, metric in names.OF_JOBS.items():
            yield Reading(metric, _of_jobs(figures, name, status.routes))
    seen = status.seen
    yield from (Reading(one, {(): seen[one]}) for one in names.OF_ENGINE if one in seen)


def _of_worker(status: Status) -> Iterator[tuple[Metric, Mapping[Labels, float]]]:
    history, versions = status.state.history, status.versions
    yield names.READY, {(): float(status.state.phase is Phase.READY)}
    built = (versions.get("worker"), versions.get("vllm"), status.gpu, status.mode)
    yield names.BUILD_INFO, {tuple(each or "unknown" for each in built): 1.0}
    yield names.RESTARTS, {(): float(history.restarts)}
    yield names.ENGINE_RESTARTS, {(by,): float(n) for by, n in history.restarts_by.items()}
    if status.figures() is not None:
        yield names.PROXY_RESTARTS, {(): float(history.proxy_restarts)}
    yield names.UNAVAILABLE, {(): status.unavailable}
    yield names.COLD_START, _known(status.cold_start)
    yield names.PHASES, {(name,): seconds for name, seconds in status.times.phases.items()}
    yield names.FIRST_JOB, _known(status.first_job)


def _known(value: float | None) -> Mapping[Labels, float]:
    return {} if value is None else {(): value}


#: Told as 0 before the first one: nobody sees a counter grow that begins with 1.
_OF_JOBS: Labels = (ANSWERED, REFUSED, FAILED, CANCELLED)
_OUTCOMES: Mapping[str, Labels] = {
    "posts": (SENT, RETRIED, LOST),
    "polls": (JOBS, EMPTY, UNANSWERED),
    "unresumed": tuple(Unresumed),
}


def _of_jobs(
    figures: Figures, name: str, routes: frozenset[str]
) -> Mapping[Labels, float | Histogram]:
    value = getattr(figures, name)
    if isinstance(value, Mapping):
        counts = {tuple(key.split(" ")): float(n) for key, n in value.items()}
        return dict.fromkeys(_labels(name, routes), 0.0) | counts
    return {(): value}


def _labels(name: str, routes: frozenset[str]) -> Iterator[Labels]:
    """Those that a counter has from the beginning."""
    if name == "ended":
        return product(_OF_JOBS, (*sorted(routes), OTHER))
    return product(_OUTCOMES.get(name, ()))
