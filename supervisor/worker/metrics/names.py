"""The list of the worker's metrics. Pure.

/metrics, its table in docs/operations.md and the boards are made of it. Names and units follow
Prometheus' conventions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "vllm_supervisor_"


class Kind(StrEnum):
    """Prometheus' types."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Source(StrEnum):
    """Who knows it, and with that when it is there."""

    WORKER = "in every mode"
    JOBS = "in queue mode"
    ENGINE = "while the engine runs"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name without the prefix, its type, what it is in a sentence, its labels."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    source: Source = Source.WORKER

    @property
    def full(self) -> str:
        """The name as Prometheus has it."""
        return PREFIX + self.name


def _gauge(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, meaning, labels)


def _counter(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, meaning, labels)


def _of_jobs(kind: Kind, name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name, kind, meaning, labels, Source.JOBS)


def _of_engine(kind: Kind, name: str, meaning: str) -> Metric:
    return Metric(name, kind, meaning, (), Source.ENGINE)


READY = _gauge("ready", "Whether the engine is ready.")
BUILD_INFO = _gauge(
    "build_info",
    "1; its labels say what runs: the worker, vLLM, the first GPU, the mode.",
    *("version", "vllm", "gpu", "mode"),
)
RESTARTS = _counter("restarts_total", "Starts of the engine after the first one.")
ENGINE_RESTARTS = _counter(
    "engine_restarts_total",
    "Starts of the engine after the first one, by the short name of what ended the one before; a"
    " cause is there once it has ended one.",
    "cause",
)
PROXY_RESTARTS = _of_jobs(
    Kind.COUNTER, "proxy_restarts_total", "Starts of the proxy after the first one."
)
UNAVAILABLE = _counter(
    "unavailable_seconds_total",
    "Seconds without a ready engine, those of the first start among them; a drain is none.",
)
COLD_START = _gauge(
    "cold_start_seconds",
    "From the worker's beginning until the engine was ready for the first time.",
)
PHASES = _gauge("phase_seconds", "How long each phase of the last start took.", "phase")
FIRST_JOB = _of_jobs(
    Kind.GAUGE,
    "first_job_seconds",
    "How long the first engine, ready, waited for its first job.",
)

_GAUGE, _COUNTER, _HISTOGRAM = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM

#: Of the proxy's figures, by their names there (`link.figures`).
OF_JOBS: Mapping[str, Metric] = {
    "jobs": _of_jobs(_GAUGE, "jobs_in_hand", "Jobs that were taken and have not ended."),
    "taken": _of_jobs(
        _COUNTER,
        "jobs_taken_total",
        "Jobs that were taken; of those that ask the worker itself (`WORKER_ROUTES`) no end is"
        " counted.",
    ),
    "ended": _of_jobs(
        _COUNTER,
        "jobs_total",
        "Jobs that ended. outcome: answered, refused (with a 4xx, which is the caller's), failed,"
        " cancelled; route: one that is offered, or other.",
        *("outcome", "route"),
    ),
    "answered": _of_jobs(_COUNTER, "jobs_answered_total", "Jobs that ended with an answer."),
    "failed": _of_jobs(_COUNTER, "jobs_failed_total", "Jobs that ended with an error."),
    "cancelled": _of_jobs(_COUNTER, "jobs_cancelled_total", "Jobs that were cancelled."),
    "resent": _of_jobs(_COUNTER, "jobs_resent_total", "Jobs sent to the engine a second time."),
    "resumed": _of_jobs(
        _COUNTER,
        "streams_resumed_total",
        "Streams that lost their engine in the middle and went on with the next, to their end.",
    ),
    "unresumed": _of_jobs(
        _COUNTER,
        "streams_not_resumed_total",
        "Streams that lost their engine in the middle and ended with an error, by the reason;"
        " failed: after they had begun to go on.",
        "reason",
    ),
    "refused": _of_jobs(
        _COUNTER, "jobs_refused_total", "Jobs that the engine answered with a 4xx."
    ),
    "engine_errors": _of_jobs(_COUNTER, "engine_errors_total", "Answers of the engine with a 5xx."),
    "tokens": _of_jobs(_COUNTER, "tokens_total", "Tokens in the answers."),
    "batches": _of_jobs(_COUNTER, "batches_total", "Outputs handed to the platform."),
    "bytes": _of_jobs(_COUNTER, "bytes_total", "Bytes of streams read from the engine."),
    "wait": _of_jobs(
        _HISTOGRAM,
        "job_wait_seconds",
        "From when a job was taken until it was sent to an engine that was there; counted with its"
        " first output.",
    ),
    "first_token": _of_jobs(
        _HISTOGRAM,
        "job_time_to_first_token_seconds",
        "From when a job was taken until the first output of its stream.",
    ),
    "per_token": _of_jobs(
        _HISTOGRAM,
        "job_time_per_output_token_seconds",
        "A stream's mean time from one token to the next, after its first output.",
    ),
    "duration": _of_jobs(
        _HISTOGRAM,
        "job_duration_seconds",
        "From when a job was taken until its last output was handed over, or it failed.",
    ),
    "output_tokens": _of_jobs(
        _HISTOGRAM, "job_output_tokens", "Tokens in a job's answer, where they are known."
    ),
    "posts": _of_jobs(
        _COUNTER,
        "platform_posts_total",
        "Outputs and results for the platform. outcome: ok, retried (taken at a later try), lost.",
        "outcome",
    ),
    "post": _of_jobs(
        _HISTOGRAM, "platform_post_seconds", "How long the platform took to answer a post."
    ),
    "polls": _of_jobs(
        _COUNTER,
        "platform_polls_total",
        "Polls for jobs. outcome: jobs, empty, failed.",
        "outcome",
    ),
}

#: What the engine's own metrics show, all of its cores together.
RUNNING = _of_engine(_GAUGE, "engine_requests_running", "Requests that the engine works on.")
WAITING = _of_engine(_GAUGE, "engine_requests_waiting", "Requests that wait in the engine.")
KV_CACHE = _of_engine(
    _GAUGE, "engine_kv_cache_usage_ratio", "How full the KV cache is, 0 to 1; of cores the fullest."
)
PREFIX_QUERIES = _of_engine(
    _COUNTER,
    "engine_prefix_cache_queries_total",
    "Tokens that were looked for in the prefix cache; begins anew with each engine.",
)
PREFIX_HITS = _of_engine(
    _COUNTER,
    "engine_prefix_cache_hits_total",
    "Tokens that were found in the prefix cache; begins anew with each engine.",
)
PREEMPTIONS = _of_engine(
    _COUNTER,
    "engine_preemptions_total",
    "Requests that were put back for want of KV cache; begins anew with each engine.",
)
OF_ENGINE = (RUNNING, WAITING, KV_CACHE, PREFIX_QUERIES, PREFIX_HITS, PREEMPTIONS)

#: Every one, in the order in which they are told.
METRICS: tuple[Metric, ...] = (
    *(READY, BUILD_INFO, RESTARTS, ENGINE_RESTARTS, PROXY_RESTARTS, UNAVAILABLE),
    *(COLD_START, PHASES, FIRST_JOB),
    *OF_JOBS.values(),
    *OF_ENGINE,
)


def table(metrics: Iterable[Metric] = METRICS) -> str:
    """The list as rows of Markdown."""
    rows = [
        f"| `{one.name}{_shown(one.labels)}` | {one.kind} | {one.meaning} | {one.source} |"
        for one in metrics
    ]
    head = f"| metric (`{PREFIX}...`) | type | what it is | there |\n|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def _shown(labels: tuple[str, ...]) -> str:
    return "{" + ",".join(labels) + "}" if labels else ""
