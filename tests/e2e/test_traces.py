"""A job's trace from its caller through the proxy into the real engine, whose spans lie beneath."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import client
from tests.collector import Collector, attributes, events
from tests.e2e.conftest import PATIENT, engine_environment
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import Worker, until

pytestmark = [pytest.mark.e2e, pytest.mark.own_engine, pytest.mark.timeout(1800)]

TRACE = "0af7651916cd43dd8448eb211c80319c"
CHAT = {"messages": [{"role": "user", "content": "Who are you?"}], "max_tokens": 8}


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform(*PATIENT) as one:
        yield one


def test_the_engines_span_is_a_child_of_the_jobs(platform: Platform, tmp_path: Path) -> None:
    with Collector() as collector:
        more = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "ENABLE_LOG_REQUESTS": "true",
            **worker_environment(platform.root),
        }
        worker = Worker(tmp_path / "log", engine_environment(**more))
        try:
            worker.until_ready(600)
            caller = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
            given: list[dict[str, Any]] = [
                {"openai_route": "/v1/chat/completions", "openai_input": {**CHAT, **caller}},
                {"openai_route": "/v1/chat/completions", "openai_input": CHAT},
            ]
            for each in given:
                job = platform.submit(each)
                output = platform.until(job, "COMPLETED", 120)["output"][0]
                request = f"chatcmpl-{job}-1"
                assert output["id"] == request
                until(lambda request=request: request in worker.text(), what="the engine's line")  # type: ignore[misc]
                until(lambda job=job: collector.of_job(job), what="the job's span")  # type: ignore[misc]
                [span] = collector.of_job(job)
                trace, own = span.trace_id, span.span_id
                until(
                    lambda own=own: [  # type: ignore[misc]
                        one for one in collector.spans("vllm") if one.parent_span_id == own
                    ],
                    what="the engine's span",
                )
                [its] = [one for one in collector.spans("vllm") if one.parent_span_id == own]
                assert its.trace_id == trace
                assert (trace.hex() == TRACE) == (each is given[0])
                assert request in attributes(its.attributes)["gen_ai.request.id"]
                assert events(span) == ["sent", "first output", "first post"]
            assert worker.stop() == 0
        finally:
            worker.end()


def test_a_real_engine_stops_in_time_beside_a_collector_that_hangs(tmp_path: Path) -> None:
    with Collector() as collector:
        collector.open.clear()
        more = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "3000",
        }
        worker = Worker(tmp_path / "log", engine_environment(**more))
        try:
            worker.until_ready(600)
            answer = client.post(f"{worker.engine_url}/v1/chat/completions", json=CHAT)
            assert answer.status_code == 200
            until(lambda: collector.asked, what="an export")
            assert worker.stop() == 0
            assert "SIGKILL" not in worker.text()
        finally:
            worker.end()
