"""When silence is a stall, and what a working engine's metrics show."""

from __future__ import annotations

import asyncio
import itertools

import httpx
import pytest

from supervisor.worker.engine import stall
from supervisor.worker.engine.stall import Stillness, read
from tests.client import PATIENCE

METRICS = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a"} 2.0
vllm:num_requests_running{engine="1",model_name="a"} 1.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="a"} 4.0
vllm:prompt_tokens_total{engine="0",model_name="a"} 70.0
vllm:generation_tokens_total{engine="0",model_name="a"} 7.0
python_gc_objects_collected_total{generation="0"} 9.0
process_cpu_seconds_total 12.0
"""


def test_requests_of_every_engine_count() -> None:
    assert read(METRICS).waiting == 7
    assert read("").waiting == 0


def test_tokens_move_and_the_process_itself_does_not() -> None:
    before = read(METRICS)
    assert before.moves == read(METRICS.replace("12.0", "13.0")).moves
    assert before.moves != read(METRICS.replace('total{engine="0",model_name="a"} 7.0', "x")).moves
    assert before.moves != read(METRICS.replace("} 70.0", "} 71.0")).moves


def test_stillness_counts_only_while_somebody_waits() -> None:
    still = Stillness()
    assert still.see(1, 0.0, somebody_waits=True) == 0
    assert still.see(1, 10.0, somebody_waits=True) == 10
    assert still.see(2, 20.0, somebody_waits=True) == 0
    assert still.see(2, 30.0, somebody_waits=False) == 0
    assert still.see(2, 45.0, somebody_waits=True) == 15


@pytest.mark.parametrize(
    ("frozen", "stalled"), [(itertools.repeat(0.0), True), (itertools.count(0.0, 30.0), False)]
)
async def test_nothing_that_was_seen_across_a_freeze_counts(
    frozen: itertools.repeat[float] | itertools.count[float], stalled: bool
) -> None:
    """Neither the time nor a request for one token that got no answer."""
    reports: asyncio.Queue[float] = asyncio.Queue()
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path == "/metrics":
            return httpx.Response(200, text=METRICS)
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "m"}]})
        if request.method == "POST":
            raise httpx.ReadTimeout("it hangs")
        return httpx.Response(404)

    async with httpx.AsyncClient(
        transport=httpx.MockTransport(answer), base_url="http://engine"
    ) as engine:
        watching = asyncio.create_task(
            stall.watch(engine, 0.1, lambda: 1, lambda: 0, reports.put, frozen=lambda: next(frozen))
        )
        async with asyncio.timeout(PATIENCE):
            if stalled:
                assert await reports.get() >= 0.1
            while asked.count("/metrics") < 20:
                await asyncio.sleep(0.01)
        watching.cancel()
        assert reports.empty() or stalled
