"""The list of boards: their panels, and what each asks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from supervisor.worker.metrics import names
from supervisor.worker.metrics.names import OF_JOBS, Metric
from tools.docs.boards import alerts
from tools.docs.boards.promql import grouped, quantile, rate, series, share, summed


class Look(StrEnum):
    """How a panel shows what it asks; Grafana's names."""

    LINES = "timeseries"
    NUMBER = "stat"
    BARS = "bargauge"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and how a series of the answer is called."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Args:
        title: short.
        meaning: a sentence or two, shown on demand.
        unit: Grafana's name for it, or `suffix: ` with one of ours.
        queries: one or more.
        look: how it is shown.
        width: of 24.
        limit: above which it is bad, drawn as a line.
        most: the end of the scale, where there is one.
    """

    title: str
    meaning: str
    unit: str
    queries: tuple[Query, ...]
    look: Look = Look.LINES
    width: int = 8
    limit: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard, in a file of its name."""

    name: str
    title: str
    panels: tuple[Panel, ...]


#: Per second.
_JOBS_S, _TOKENS_S, _POSTS_S = "suffix: jobs/s", "suffix: tokens/s", "suffix: posts/s"


def _each(metric: Metric, by: str, how: str = "sum") -> tuple[Query, ...]:
    grouped(metric, (by,))
    return (Query(f"{how} by ({by}) ({series(metric)})", f"{{{{{by}}}}}"),)


def _rates(metric: Metric, by: str) -> tuple[Query, ...]:
    return (Query(rate(metric, by), f"{{{{{by}}}}}"),)


def _quantiles(metric: Metric) -> tuple[Query, ...]:
    return tuple(
        Query(quantile(of, metric), name)
        for of, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    )


_READY = Panel(
    "Ready workers",
    "Workers whose engine is ready, and all that answer.",
    "none",
    (Query(summed(series(names.READY)), "ready"), Query(f"count({series(names.READY)})", "all")),
    Look.NUMBER,
    width=6,
)
_WITHOUT = Panel(
    "Time without a ready engine",
    "Share of the time in which a worker had none, those of the first start among it; 1 is down.",
    "percentunit",
    _rates(names.UNAVAILABLE, "instance"),
    width=12,
    most=1.0,
)

START = Board(
    "start",
    "Start",
    (
        _READY,
        Panel(
            "Slowest cold start",
            "From a worker's beginning until its engine was ready for the first time.",
            "s",
            (Query(f"max({series(names.COLD_START)})"),),
            Look.NUMBER,
            width=6,
            limit=alerts.LONG_START,
        ),
        Panel(
            "Cold start",
            "The same, of each worker.",
            "s",
            _each(names.COLD_START, "instance", "max"),
            Look.BARS,
            width=12,
            limit=alerts.LONG_START,
        ),
        Panel(
            "Phases of the last start",
            "How long each took, in the worker that took longest. docs/coldstart.md says what each"
            " is and how to make it shorter.",
            "s",
            _each(names.PHASES, "phase", "max"),
            Look.BARS,
            width=12,
        ),
        Panel(
            "Wait for the first job",
            "How long the first engine, ready, waited for its first job: time that was paid for"
            " nothing.",
            "s",
            _each(names.FIRST_JOB, "instance", "max"),
            Look.BARS,
            width=12,
        ),
        _WITHOUT,
        Panel(
            "What runs",
            "Versions, GPU and mode of each worker.",
            "none",
            (Query(series(names.BUILD_INFO)),),
            Look.TABLE,
            width=12,
        ),
    ),
)

JOBS = Board(
    "jobs",
    "Jobs",
    (
        Panel(
            "Jobs that end, by outcome",
            "answered; refused: with a 4xx, which is the caller's to mend; failed; cancelled.",
            _JOBS_S,
            _rates(OF_JOBS["ended"], "outcome"),
        ),
        Panel(
            "Jobs that end, by route",
            "Those that are used; routes that are not offered count as other.",
            _JOBS_S,
            (Query(f"{rate(OF_JOBS['ended'], 'route')} > 0", "{{route}}"),),
        ),
        Panel(
            "Failed jobs",
            "Share of the jobs that end with an error which is not the caller's.",
            "percentunit",
            (
                Query(
                    share(rate(OF_JOBS["ended"], outcome="failed"), rate(OF_JOBS["ended"])),
                    "failed",
                ),
            ),
            limit=alerts.MANY_FAIL,
        ),
        Panel(
            "Jobs in hand",
            "Taken and not ended. MAX_CONCURRENCY bounds it.",
            "none",
            _each(OF_JOBS["jobs"], "instance"),
        ),
        Panel(
            "Jobs taken",
            "From the platform, each worker.",
            _JOBS_S,
            _rates(OF_JOBS["taken"], "instance"),
        ),
        Panel(
            "Wait for the engine",
            "From when a job was taken until it was sent to an engine that was there.",
            "s",
            _quantiles(OF_JOBS["wait"]),
            limit=alerts.LONG_WAIT,
        ),
        Panel(
            "Time to the first token",
            "From when a job was taken until the first output of its stream.",
            "s",
            _quantiles(OF_JOBS["first_token"]),
        ),
        Panel(
            "Time per token",
            "A stream's mean time from one token to the next, after its first output.",
            "s",
            _quantiles(OF_JOBS["per_token"]),
        ),
        Panel(
            "Duration",
            "From when a job was taken until its last output was handed over.",
            "s",
            _quantiles(OF_JOBS["duration"]),
        ),
        Panel(
            "Tokens",
            "In the answers, each worker.",
            _TOKENS_S,
            _rates(OF_JOBS["tokens"], "instance"),
        ),
        Panel(
            "Tokens of an answer",
            "Where they are known.",
            "suffix: tokens",
            _quantiles(OF_JOBS["output_tokens"]),
        ),
        Panel(
            "Sent again",
            "Jobs that were sent to the engine a second time, because it was lost before their"
            " first output.",
            _JOBS_S,
            _rates(OF_JOBS["resent"], "instance"),
        ),
        Panel(
            "Streams that went on",
            "They lost their engine in the middle, and the next one gave the rest.",
            _JOBS_S,
            _rates(OF_JOBS["resumed"], "instance"),
        ),
        Panel(
            "Streams that ended with their engine",
            "By the reason; failed: the next one had begun to go on with them.",
            _JOBS_S,
            _rates(OF_JOBS["unresumed"], "reason"),
        ),
    ),
)

ENGINE = Board(
    "engine",
    "Engine",
    (
        Panel(
            "Requests in the engine",
            "Those that it works on, and those that wait in it.",
            "none",
            (
                Query(summed(series(names.RUNNING)), "running"),
                Query(summed(series(names.WAITING)), "waiting"),
            ),
            width=12,
        ),
        Panel(
            "KV cache",
            "How full it is. A full one makes requests wait, or start over (preemptions).",
            "percentunit",
            _each(names.KV_CACHE, "instance", "max"),
            width=12,
            limit=alerts.FULL,
            most=1.0,
        ),
        Panel(
            "Prefix cache",
            "Share of the prompts' tokens that were found in it.",
            "percentunit",
            (Query(share(rate(names.PREFIX_HITS), rate(names.PREFIX_QUERIES)), "found"),),
            most=1.0,
        ),
        Panel(
            "Preemptions",
            "Requests that were put back for want of KV cache.",
            "suffix: /s",
            _rates(names.PREEMPTIONS, "instance"),
        ),
        Panel(
            "Errors of the engine",
            "Answers with a 5xx (queue mode).",
            "suffix: /s",
            _rates(OF_JOBS["engine_errors"], "instance"),
        ),
    ),
)

RESTARTS = Board(
    "restarts",
    "Restarts",
    (
        _READY,
        Panel(
            "Restarts of engines",
            "Since the workers that are there began.",
            "none",
            (Query(summed(series(names.RESTARTS))),),
            Look.NUMBER,
            width=6,
        ),
        _WITHOUT,
        Panel(
            "Restarts by cause",
            "Starts of the engine after the first one, by what ended the one before. The worker's"
            " log has the cause in a sentence.",
            "none",
            _each(names.ENGINE_RESTARTS, "cause"),
            width=12,
        ),
        Panel(
            "Restarts of the proxy",
            "Queue mode. Jobs are not lost by one: the next proxy runs those that had yielded"
            " nothing.",
            "none",
            _each(names.PROXY_RESTARTS, "instance"),
            width=12,
        ),
    ),
)

PLATFORM = Board(
    "platform",
    "Platform",
    (
        Panel(
            "Posts",
            "Outputs and results for the platform: ok, retried (taken at a later try), lost.",
            _POSTS_S,
            _rates(OF_JOBS["posts"], "outcome"),
        ),
        Panel(
            "Answers to posts",
            "How long the platform took.",
            "s",
            _quantiles(OF_JOBS["post"]),
        ),
        Panel(
            "Lost posts",
            "Given up after all tries, since the workers that are there began.",
            "none",
            (Query(summed(series(OF_JOBS["posts"], outcome="lost"), "instance"), "{{instance}}"),),
            limit=0.0,
        ),
        Panel(
            "Polls for jobs",
            "What they bring: jobs, nothing, or no answer.",
            "suffix: polls/s",
            _rates(OF_JOBS["polls"], "outcome"),
        ),
        Panel(
            "Outputs",
            "Handed to the platform, each worker.",
            _POSTS_S,
            _rates(OF_JOBS["batches"], "instance"),
        ),
        Panel(
            "Tokens of an output",
            "On the average. BATCH_MAX_LATENCY_MS moves it.",
            "suffix: tokens",
            (Query(share(rate(OF_JOBS["tokens"]), rate(OF_JOBS["batches"])), "tokens"),),
        ),
        Panel(
            "Streams read from the engine",
            "Bytes, each worker.",
            "Bps",
            _rates(OF_JOBS["bytes"], "instance"),
        ),
    ),
)

BOARDS = (START, JOBS, ENGINE, RESTARTS, PLATFORM)

#: What no panel shows: `jobs_total` has it.
LEFT_OUT = frozenset(OF_JOBS[name] for name in ("answered", "failed", "cancelled", "refused"))
