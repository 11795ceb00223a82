"""One id from end to end, and traces that leave a whole worker, with a stand-in engine."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import client
from tests.client import PATIENCE
from tests.collector import Collector, attributes, events
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import Worker, until

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "congo=t61rcWkgMzE"}
ECHO = "/echo-request"
_ENGINES = {  # shown while it runs
    f"vllm_supervisor_engine_{name}"
    for name in (
        *("requests_running", "requests_waiting", "kv_cache_usage_ratio"),
        *("prefix_cache_queries", "prefix_cache_hits", "preemptions"),
    )
}


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform("--poll-seconds", "600", "--worker-lost-seconds", "3600") as one:
        yield one


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as one:
        yield one


def worker(platform: Platform, folder: Path, **more: str) -> Worker:
    environment = {**worker_environment(platform.root), "ALLOWED_ROUTES": ECHO, **more}
    return Worker(folder / "log", environment)


def heard(platform: Platform, given: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The id of a job, and the headers that the engine got with it."""
    job = platform.submit({"route": ECHO, "method": "POST", **given})
    output = platform.until(job, "COMPLETED")["output"][0]
    return job, {name.lower(): text for name, text in output["headers"].items()}


def test_the_engine_hears_the_jobs_id_and_its_callers_trace(
    platform: Platform, tmp_path: Path
) -> None:
    one = worker(platform, tmp_path)
    try:
        one.until_ready()
        job, headers = heard(platform, {"body": {"a": 1}})
        assert headers["x-request-id"] == f"{job}-1"
        assert "traceparent" not in headers
        job, headers = heard(platform, {"body": {"a": 1}, **CALLER})
        assert headers["x-request-id"] == f"{job}-1"
        assert {name: headers.get(name) for name in CALLER} == CALLER
        answer = {"openai_route": "/v1/completions", "openai_input": {"prompt": "x", **CALLER}}
        job = platform.submit(answer)
        output = platform.until(job, "COMPLETED")["output"][0]
        assert output["id"] == f"cmpl-{job}-1"
    finally:
        one.end()


def test_a_job_is_a_span_with_what_happened_to_it(
    platform: Platform, tmp_path: Path, collector: Collector
) -> None:
    one = worker(platform, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    try:
        one.until_ready()
        jobs = {}
        for more in ({}, {}, CALLER):
            job, headers = heard(platform, {"body": {}, **more})
            jobs[job] = headers
        native = platform.submit({"prompt": "secret-prompt", "sampling_params": {"max_tokens": 5}})
        platform.until(native, "COMPLETED")
        wrong = platform.submit({"route": "/nowhere", "body": {}})
        platform.until(wrong, "FAILED")
        assert one.stop() == 0  # what is noted goes out before the end
        spans = {attributes(span.attributes)["runpod.job.id"]: span for span in collector.spans()}
        assert spans.keys() == {*jobs, native, wrong}
        for job, headers in jobs.items():
            _, trace, parent, flags = headers["traceparent"].split("-")
            assert (spans[job].trace_id.hex(), spans[job].span_id.hex()) == (trace, parent)
            assert int(flags, 16) & 1  # it is recorded
        assert len({span.trace_id for span in spans.values()}) == 5
        called = spans[list(jobs)[2]]
        assert called.trace_id.hex() == TRACE
        assert called.parent_span_id.hex() == "b7ad6b7169203331"
        assert jobs[list(jobs)[2]]["tracestate"] == CALLER["tracestate"]
        assert events(spans[native]) == ["sent", "first output", "first post"]
        said = attributes(spans[native].attributes)
        assert said["gen_ai.operation.name"] == "text_completion"
        assert said["gen_ai.usage.output_tokens"] == 5
        assert said["vllm_supervisor.posts"] == 2
        assert spans[native].name == "job text_completion"
        assert attributes(spans[wrong].attributes)["http.response.status_code"] == 403
        assert spans[wrong].status.code == 2
        assert "secret-prompt" not in str(collector.spans())
        [who, *_] = collector.resources()
        assert who["service.instance.id"] == "worker-1"
    finally:
        one.end()


def test_metrics_and_traces_are_of_one_worker_which_keeps_its_name(
    platform: Platform, tmp_path: Path, collector: Collector
) -> None:
    """Where the platform gives it none: the container's, which a restart does not change."""
    given = {k: v for k, v in worker_environment(platform.root).items() if k != "RUNPOD_POD_ID"}
    environment = {**given, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    for number in range(2):
        one = Worker(tmp_path / str(number), environment)
        try:
            one.until_ready()
            platform.until(platform.submit({"prompt": "x"}), "COMPLETED")
            assert one.stop() == 0
        finally:
            one.end()
    told = [*collector.resources("/v1/metrics"), *collector.resources()]
    assert len(collector.resources()) >= 2
    names = {each["service.instance.id"] for each in told}
    if (host := socket.gethostname()) == "localhost":  # names no worker: each start makes one up
        assert len(names) == 2
    else:
        assert names == {host}


def test_a_job_that_is_sent_again_says_so_in_its_trace(
    platform: Platform, tmp_path: Path, collector: Collector
) -> None:
    one = worker(platform, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    try:
        one.until_ready()
        gone = tmp_path / "gone"
        fake = {"wait_for": str(gone)}
        job = platform.submit(
            {"openai_route": "/v1/completions", "openai_input": {"prompt": "x", "fake": fake}}
        )
        until(lambda: client.running(one.engine_url), what="the first sending")
        platform.fault(path="job-done", status=500)
        os.kill(one.engine_pid(), signal.SIGKILL)
        gone.touch()
        output = platform.until(job, "COMPLETED")["output"][0]
        assert output["id"] == f"cmpl-{job}-2"
        assert one.stop() == 0
        [span] = collector.spans()
        assert events(span)[:4] == ["sent", "engine lost", "sent", "first output"]
        assert "post refused" in events(span)
        sent = [event for event in span.events if event.name == "sent"]
        assert [attributes(each.attributes) for each in sent] == [
            {"vllm_supervisor.sending": 1},
            {"vllm_supervisor.sending": 2},
        ]
    finally:
        platform.no_faults()
        one.end()


def test_a_stream_that_goes_on_with_the_next_engine_says_so_too(
    platform: Platform, tmp_path: Path, collector: Collector
) -> None:
    one = worker(platform, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    try:
        one.until_ready()
        asked = {"prompt": "x", "stream": True, "max_tokens": 40}
        asked["metadata"] = {"fake": {"tokens": 40, "rate": 20}}
        job = platform.submit({"openai_route": "/v1/completions", "openai_input": asked})
        until(lambda: len(platform.job(job)["posts"]) >= 2, what="tokens")
        os.kill(one.engine_pid(), signal.SIGKILL)
        platform.until(job, "COMPLETED")
        assert one.stop() == 0
        [span] = collector.of_job(job)
        told = ["sent", "first output", "first post", "engine lost", "sent"]
        assert events(span) == told
        [lost] = [event for event in span.events if event.name == "engine lost"]
        assert attributes(lost.attributes) == {"error.type": "EngineRestarted"}
        sent = [event for event in span.events if event.name == "sent"]
        numbers = [attributes(each.attributes)["vllm_supervisor.sending"] for each in sent]
        assert numbers == [1, 2]
        assert span.status.code != 2
    finally:
        one.end()


_WHY = {
    "hangs": "",
    "refuses": "it answers 400 Bad Request",
    "redirects": "it redirects to https://c.example/otlp; set that address",
    "is not there": "Connection refused",
}


@pytest.mark.parametrize("how", _WHY)
def test_a_collector_that_takes_nothing_holds_nothing_up(
    platform: Platform, tmp_path: Path, collector: Collector, how: str
) -> None:
    url = "http://127.0.0.1:9" if how == "is not there" else collector.url
    collector.status = 400
    if how == "redirects":
        collector.status, collector.location = 308, "https://c.example/otlp?key=secret-of-mine"
    if how == "hangs":
        collector.open.clear()
    more = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "600000" if how == "hangs" else "1000",
    }
    one = worker(platform, tmp_path, **more)
    try:
        one.until_ready()
        for _ in range(3):
            job = platform.submit({"prompt": "x"})
            platform.until(job, "COMPLETED")
        lost = [f"the {what} are lost" for what in ("traces", "metrics")]
        if how != "hangs":
            until(lambda: all(each in one.text() for each in lost), what="the lines")
        began = time.monotonic()
        assert one.stop(signal.SIGTERM) == 0
        # Each of the two signals has 2 s for its last export, and a busy machine some more.
        assert time.monotonic() - began < 10
        # Nobody knows yet what becomes of an export that hangs.
        due = 0 if how == "hangs" else 1
        assert [one.text().count(each) for each in lost] == [due, due]
        assert one.text().count(f"takes them: {_WHY[how]}\n") == 2 * due
        assert "secret-of-mine" not in one.text()
        assert "opentelemetry" not in one.text().replace("opentelemetry-", "")
    finally:
        one.end()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "is no address of http or https"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "is not what this worker speaks"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret-key-of-mine", "is no list of name=value"),
        ("OTEL_BSP_SCHEDULE_DELAY", "soon", "is not a whole number, 1 or more"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100", "set OTEL_BSP_MAX_EXPORT_BATCH_SIZE to 100 or less"),
    ],
)
def test_a_wrong_value_is_named_before_an_engine_is_started(
    tmp_path: Path, name: str, value: str, says: str
) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", name: value}
    one = Worker(tmp_path / "log", environment)
    try:
        assert one.wait(PATIENCE) == 78
        assert f"{name}=" in one.text()
        assert says in one.text()
        assert "secret-key-of-mine" not in one.text()
        assert "starting the engine" not in one.text()
    finally:
        one.end()


def test_a_blank_behind_a_sampler_is_no_part_of_its_name(
    platform: Platform, tmp_path: Path, collector: Collector
) -> None:
    more = {"OTEL_TRACES_SAMPLER": "always_off ", "OTEL_SPAN_EVENT_COUNT_LIMIT": " "}
    one = worker(platform, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **more)
    try:
        one.until_ready()
        _job, headers = heard(platform, {"body": {}})
        assert not int(headers["traceparent"].split("-")[3], 16) & 1  # it is not recorded
        assert one.stop() == 0
        assert collector.spans() == []
        assert "no traces are exported" not in one.text()
    finally:
        one.end()


def test_what_its_sdk_refuses_all_the_same_is_told_in_one_line(
    platform: Platform, tmp_path: Path, collector: Collector
) -> None:
    name = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER"
    more = {name: "not-installed", "LOG_FORMAT": "json"}
    one = worker(platform, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **more)
    try:
        one.until_ready()
        platform.until(platform.submit({"prompt": "x"}), "COMPLETED")
        assert one.stop() == 0
        lines = [json.loads(line) for line in one.text().splitlines()]
        [told] = [line["message"] for line in lines if "not-installed" in line["message"]]
        assert "no traces are exported: " in told
        assert "\n" not in told
    finally:
        one.end()


def test_the_metrics_are_those_of_the_control_port(
    platform: Platform, tmp_path: Path, collector: Collector
) -> None:
    more = {"OTEL_METRIC_EXPORT_INTERVAL": "100", "OTEL_TRACES_EXPORTER": "none"}
    one = worker(platform, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **more)
    try:
        one.until_ready()
        for _ in range(2):
            platform.until(platform.submit({"prompt": "x"}), "COMPLETED")
        until(lambda: one.status()["jobs"]["answered"] == 2, what="the figures")
        text = client.get(f"http://127.0.0.1:{one.control_port}/metrics").text
        known = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
        assert one.stop() == 0
        last = collector.metrics()[-1]
        assert {name.removesuffix("_total") for name in known} <= {*last, *_ENGINES}
        assert set(last) <= {name.removesuffix("_total") for name in known}
        points = last["vllm_supervisor_jobs"].sum.data_points
        [jobs] = [each for each in points if each.as_double]
        assert (jobs.as_double, attributes(jobs.attributes)["outcome"]) == (2, "answered")
        [wait] = last["vllm_supervisor_job_wait_seconds"].histogram.data_points
        assert wait.count == 2
        assert collector.spans() == []
    finally:
        one.end()


def test_nothing_of_opentelemetry_is_imported_unless_it_is_asked_for(
    platform: Platform, tmp_path: Path, collector: Collector
) -> None:
    imports = {"PYTHONPROFILEIMPORTTIME": "1"}
    for name, more in (("without", {}), ("with", {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})):
        one = Worker(
            tmp_path / name, {**worker_environment(platform.root), **imports, **more, "WARMUP": "0"}
        )
        try:
            one.until_ready()
            platform.until(platform.submit({"prompt": "x"}), "COMPLETED")
            assert one.stop() == 0
            before, spawned, after = one.text().partition("engine spawned, pid")
            assert spawned
            assert "proxy.handler" in after
            assert "opentelemetry" not in before
            assert ("opentelemetry" in after) == bool(more)
        finally:
            one.end()


def test_a_key_of_the_collectors_is_sent_and_never_shown(
    platform: Platform, tmp_path: Path, collector: Collector
) -> None:
    key = "kq93hf02hdk3"
    more = {"OTEL_EXPORTER_OTLP_HEADERS": f"api-key={key},x-tenant=t1"}
    one = worker(platform, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **more)
    try:
        one.until_ready()
        job = platform.submit({"prompt": key})
        platform.until(job, "COMPLETED")
        assert one.stop() == 0
        assert collector.headers[0]["api-key"] == key
        assert key not in one.text()
        assert key not in json.dumps(collector.resources())
    finally:
        one.end()
