"""The list of alerts: what each asks, for how long it has to be so, and what is then said."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.worker.metrics import names
from tools.docs.boards.promql import above, series

#: Where each alert has a section under its name: a path in this repository, for no address is that
#: of every copy of it. The rules' head says how to put one before it.
RUNBOOKS = "docs/monitoring.md"
#: Of the scrape; an operator that makes one of a PodMonitor puts the namespace before it.
JOB = "vllm-supervisor"

#: Seconds. RunPod gives a start seven minutes unless RUNPOD_INIT_TIMEOUT is set.
LONG_START = 300
LONG_WAIT = 40  # seconds; a bucket ends there
MANY_WAIT = 0.05  # of the jobs
FULL = 0.9  # of the KV cache
MANY_FAIL = 0.1  # of the jobs


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert.

    Args:
        name: of its section in RUNBOOKS, too.
        value: what is looked at; it returns something wherever a worker has worked.
        condition: what of it is bad.
        pending: for how long, as Prometheus writes a duration.
        severity: critical where callers get no answers.
        summary: a sentence with the target's labels and the value.
    """

    name: str
    value: str
    condition: str
    pending: str
    severity: str
    summary: str

    @property
    def expression(self) -> str:
        """What Prometheus evaluates."""
        return f"{self.value} {self.condition}"

    @property
    def runbook(self) -> str:
        """Where it says what to do."""
        return f"{RUNBOOKS}#{self.name.lower()}"


def _all(metric: names.Metric, **labels: str) -> str:
    return series(metric, "", **labels)


_COLD_START = _all(names.COLD_START)
_POSTS = names.OF_JOBS["posts"]
_ENDED = names.OF_JOBS["ended"]

_UP = f'up{{job=~"(.+/)?{JOB}"}}'

ALERTS = (
    Alert(
        "VllmWorkerNotScraped",
        _UP,
        "== 0",
        "5m",
        "warning",
        "{{ $labels.instance }} does not answer Prometheus.",
    ),
    # Who was never ready has no cold start yet: that is VllmSlowStart's.
    Alert(
        "VllmNoReadyEngine",
        f"({_all(names.READY)} and {_COLD_START})",
        # A drain is none: its time does not count. The window is no longer than what is waited for,
        # so that a restart just before a drain is out of it by then.
        f"== 0\n  and increase({_all(names.UNAVAILABLE)}[3m]) > 0",
        "3m",
        "critical",
        "{{ $labels.instance }} has had no ready engine for 3 minutes.",
    ),
    # A worker that ends and is started again and again is away at times: then it is not ready, too.
    Alert(
        "VllmNeverReady",
        f"({_all(names.READY)} or 0 * {_UP})",
        f"== 0\n  and count_over_time({_all(names.READY)}[15m])\n  unless {_COLD_START}",
        "15m",
        "critical",
        "{{ $labels.instance }} has begun and has had no ready engine for 15 minutes.",
    ),
    # Before the first ready engine the time without one is the time of the start.
    Alert(
        "VllmSlowStart",
        f"(({_all(names.UNAVAILABLE)} unless {_COLD_START})\n"
        f"  or ({_COLD_START} unless count_over_time({_COLD_START}[30m] offset 30m)))",
        f"> {LONG_START}",
        "0m",
        "warning",
        "{{ $labels.instance }} has taken {{ $value | humanizeDuration }} to start.",
    ),
    # `increase` makes 2.02 of two, and 1.01 of one: it reckons up to the ends of the window. Of a
    # worker that has just begun it makes more of one, which is over within a minute. A worker that
    # begins anew counts from 0: its starts are the resets of what grows in each of them.
    Alert(
        "VllmEngineRestarts",
        f"(increase({_all(names.RESTARTS)}[30m])\n  + resets({_all(names.UNAVAILABLE)}[30m]))",
        "> 1.5",
        "1m",
        "warning",
        '{{ $labels.instance }} has started its engine again {{ $value | printf "%.0f" }} times'
        " in half an hour.",
    ),
    Alert(
        "VllmJobsWait",
        above(LONG_WAIT, names.OF_JOBS["wait"], "job", window="5m", chosen=""),
        f"> {MANY_WAIT}",
        "5m",
        "warning",
        "{{ $value | humanizePercentage }} of the jobs wait"
        f" longer than {LONG_WAIT} s for the engine.",
    ),
    Alert(
        "VllmJobsFail",
        f"sum by (job) (rate({_all(_ENDED, outcome='failed')}[10m]))\n"
        f"  / sum by (job) (rate({_all(_ENDED)}[10m]))",
        f"> {MANY_FAIL}",
        "5m",
        "critical",
        "{{ $value | humanizePercentage }} of the jobs fail.",
    ),
    Alert(
        "VllmOutputsLost",
        f"increase({_all(_POSTS, outcome='lost')}[15m])",
        "> 0",
        "0m",
        "critical",
        "{{ $labels.instance }} could not hand outputs to the platform.",
    ),
    Alert(
        "VllmKvCacheFull",
        f"avg_over_time({_all(names.KV_CACHE)}[5m])",
        f"> {FULL}",
        "5m",
        "warning",
        "The KV cache of {{ $labels.instance }} is {{ $value | humanizePercentage }} full.",
    ),
)
