"""What vLLM's own /metrics show, under names of ours. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping

from .names import (
    KV_CACHE,
    PREEMPTIONS,
    PREFIX_HITS,
    PREFIX_QUERIES,
    RUNNING,
    WAITING,
    Kind,
    Metric,
    Source,
)

#: For the page alone, where no proxy counts; programs have them from the engine itself.
TOKENS = Metric("engine_tokens", Kind.COUNTER, "Tokens in answers.", (), Source.ENGINE)
FIRST_TOKENS = Metric("engine_begun", Kind.COUNTER, "Answers that began.", (), Source.ENGINE)
FIRST_SECONDS = Metric("engine_wait", Kind.COUNTER, "For how long, all.", (), Source.ENGINE)

#: Their names without `vllm:`, those of older versions behind today's.
_OURS: Mapping[str, Metric] = {
    "num_requests_running": RUNNING,
    "num_requests_waiting": WAITING,
    "kv_cache_usage_perc": KV_CACHE,
    "gpu_cache_usage_perc": KV_CACHE,
    "prefix_cache_queries_total": PREFIX_QUERIES,
    "gpu_prefix_cache_queries_total": PREFIX_QUERIES,
    "prefix_cache_hits_total": PREFIX_HITS,
    "gpu_prefix_cache_hits_total": PREFIX_HITS,
    "num_preemptions_total": PREEMPTIONS,
    "generation_tokens_total": TOKENS,
    "time_to_first_token_seconds_count": FIRST_TOKENS,
    "time_to_first_token_seconds_sum": FIRST_SECONDS,
}
_LINE = re.compile(rf"^vllm:({'|'.join(_OURS)})(?:{{[^\n]*}})? (\S+)$", re.MULTILINE)
_ADDED: Callable[[Iterable[float]], float] = sum
_TOGETHER: Mapping[Metric, Callable[[Iterable[float]], float]] = {KV_CACHE: max}

Figures = Mapping[Metric, float]


def read(text: str) -> Figures:
    """The figures in the text of vLLM's /metrics, all of its cores together.

    What is not there, or no number, is left out.
    """
    found: dict[str, list[float]] = {}
    for name, number in _LINE.findall(text):
        found.setdefault(name, []).append(_number(number))
    values = {
        metric: _TOGETHER.get(metric, _ADDED)(found[name])
        for name, metric in reversed(list(_OURS.items()))
        if name in found
    }
    return {metric: value for metric, value in values.items() if math.isfinite(value)}


def requests(figures: Figures) -> float | None:
    """Those that run and those that wait, together; None where the engine tells neither."""
    told = [figures[metric] for metric in (RUNNING, WAITING) if metric in figures]
    return sum(told) if told else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
