"""What is read of vLLM's metrics; those of the real one in tests/e2e."""

from __future__ import annotations

import pytest

from supervisor.worker.metrics import names, vllm

METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a"} 2.0
vllm:num_requests_running{engine="1",model_name="a"} 1.0
vllm:num_requests_waiting{engine="0",model_name="a"} 4.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="a",reason="capacity"} 4.0
vllm:kv_cache_usage_perc{engine="0",model_name="a"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="a"} 0.75
vllm:prefix_cache_queries_total{engine="0",model_name="a{}"} 1.5e+06
vllm:prefix_cache_queries_created{engine="0",model_name="a"} 1.7e+09
vllm:prefix_cache_hits_total{engine="0",model_name="a"} 7.0
vllm:num_preemptions_total{engine="0",model_name="a"} 0.0
"""


def test_all_cores_together() -> None:
    assert vllm.read(METRICS) == {
        names.RUNNING: 3.0,
        names.WAITING: 4.0,
        names.KV_CACHE: 0.75,
        names.PREFIX_QUERIES: 1.5e6,
        names.PREFIX_HITS: 7.0,
        names.PREEMPTIONS: 0.0,
    }


@pytest.mark.parametrize(
    ("text", "requests"),
    [
        (METRICS, 7.0),
        ("vllm:num_requests_running 2.0\n", 2.0),
        ("vllm:num_requests_running 0\nvllm:num_requests_waiting 0\n", 0.0),
        ("vllm:num_requests_running much\n", None),
        ("", None),
    ],
)
def test_requests_run_or_wait(text: str, requests: float | None) -> None:
    assert vllm.requests(vllm.read(text)) == requests


def test_older_names_count_where_those_of_today_are_not_there() -> None:
    old = "vllm:gpu_cache_usage_perc 0.5\nvllm:gpu_prefix_cache_hits_total 3\n"
    assert vllm.read(old) == {names.KV_CACHE: 0.5, names.PREFIX_HITS: 3.0}
    assert vllm.read(old + METRICS)[names.KV_CACHE] == 0.75


@pytest.mark.parametrize("value", ["NaN", "+Inf", "much"])
def test_what_is_no_number_is_left_out(value: str) -> None:
    text = f"vllm:num_requests_running {value}\nvllm:num_requests_waiting 1\n"
    assert vllm.read(text) == {names.WAITING: 1.0}
    assert vllm.read("") == {}
