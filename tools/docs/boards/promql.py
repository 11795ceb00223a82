"""PromQL over the worker's metrics, from their list: none can be asked for that is not there."""

from __future__ import annotations

from supervisor.link.figures import Figures
from supervisor.link.histogram import Histogram
from supervisor.worker.metrics.names import OF_JOBS, Kind, Metric

#: What a board's variables choose, and the window of rates that suits its time range.
CHOSEN = 'job=~"$job", instance=~"$instance"'
WINDOW = "$__rate_interval"


def series(metric: Metric, chosen: str = CHOSEN, suffix: str = "", **labels: str) -> str:
    """The metric's series with these labels.

    Args:
        metric: which one.
        chosen: matchers of the target's labels.
        suffix: of a part of a histogram: `_bucket`, `_count`, `_sum`.
        labels: values of the metric's own labels.

    Raises:
        ValueError: the metric has no such label or part.
    """
    known = {*metric.labels, *(("le",) if suffix == "_bucket" else ())}
    if not labels.keys() <= known:
        raise ValueError(f"{metric.name} has no label {labels.keys() - known}")
    if bool(suffix) != (metric.kind is Kind.HISTOGRAM):
        raise ValueError(f"{metric.name}{suffix} is not there: it is a {metric.kind}")
    matchers = [*([chosen] if chosen else []), *(f'{k}="{v}"' for k, v in labels.items())]
    inside = f"{{{', '.join(matchers)}}}" if matchers else ""
    return f"{metric.full}{suffix}{inside}"


def summed(expression: str, *by: str) -> str:
    """The sum of all workers, or of each group."""
    return f"sum by ({', '.join(by)}) ({expression})" if by else f"sum({expression})"


def rate(metric: Metric, *by: str, suffix: str = "", **labels: str) -> str:
    """How much a counter grows in a second, of all workers or of each group.

    Raises:
        ValueError: as `series`; or it is no counter, or has no label to group by.
    """
    if metric.kind is Kind.GAUGE:
        raise ValueError(f"{metric.name} is a gauge: it has no rate")
    grouped(metric, by)
    return summed(f"rate({series(metric, suffix=suffix, **labels)}[{WINDOW}])", *by)


def grouped(metric: Metric, by: tuple[str, ...]) -> None:
    """Raise ValueError where the metric has no such labels."""
    if not set(by) <= {*metric.labels, "job", "instance", "le"}:
        raise ValueError(f"{metric.name} has not all of the labels {by}")


def share(of: str, among: str) -> str:
    """One sum as a part of another, 0 to 1; nothing where there is nothing to share."""
    return f"{of} / ({among} > 0)"


def quantile(
    of: float, metric: Metric, *by: str, window: str = WINDOW, chosen: str = CHOSEN
) -> str:
    """What so large a share of a histogram's observations in `window` is not above."""
    buckets = f"rate({series(metric, chosen, '_bucket')}[{window}])"
    return f"histogram_quantile({of}, {summed(buckets, *by, 'le')})"


def bounds(metric: Metric) -> tuple[float, ...]:
    """The upper bounds of a histogram's buckets, but for the infinite one.

    Raises:
        ValueError: it is none.
    """
    for name, one in OF_JOBS.items():
        if one is metric and isinstance(found := getattr(Figures(), name), Histogram):
            return found.bounds
    raise ValueError(f"{metric.name} is no histogram")


def ending(bound: float) -> str:
    """The matcher of a histogram's buckets up to `bound`.

    `le` is a text: 40.0 in what the worker tells itself, 40 where a collector writes what came by
    OTLP, and whichever of the two in Prometheus 2 and 3.
    """
    if bound != int(bound):
        return f'le="{bound}"'
    return f'le=~"{bound:.0f}(\\\\.0)?"'


def above(
    bound: float, metric: Metric, *by: str, window: str = WINDOW, chosen: str = CHOSEN
) -> str:
    """The share of a histogram's observations in `window` that is above `bound`, 0 to 1.

    A quantile is a guess within its bucket, and cannot be compared with what lies inside of one.

    Raises:
        ValueError: no bucket ends there, so that nobody knows.
    """
    if bound not in bounds(metric):
        raise ValueError(f"no bucket of {metric.name} ends at {bound:g}")
    every = series(metric, chosen, "_bucket", le="+Inf")
    below = series(metric, ", ".join(filter(None, (chosen, ending(bound)))), "_bucket")
    among = [summed(f"rate({each}[{window}])", *by) for each in (below, every)]
    return f"1 - {among[0]}\n  / {among[1]}"
