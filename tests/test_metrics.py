"""/metrics of whole workers: what jobs, posts, polls, restarts and the engine leave in it."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from supervisor.settings.routes import OFFERED
from tests import client
from tests.client import PATIENCE
from tests.conftest import Start
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.faults.test_jobs import proxy_of
from tests.nodes import Nodes
from tests.processes import Worker, until

ROUTE = "/v1/completions"


class Figures:
    """The samples of a worker's /metrics, by name and labels."""

    def __init__(self, worker: Worker, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"http://127.0.0.1:{worker.control_port}/metrics"
        self.text = client.get(url, headers=headers).text
        self._samples = [
            sample
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
        ]

    def __call__(self, name: str, **labels: str) -> float:
        """The sum of those with these labels; 0 where there is none."""
        full = f"vllm_supervisor_{name}"
        wanted = labels.items()
        return sum(s.value for s in self._samples if s.name == full and wanted <= s.labels.items())

    def labels(self, name: str) -> list[dict[str, str]]:
        full = f"vllm_supervisor_{name}"
        return [sample.labels for sample in self._samples if sample.name == full]


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform("--worker-lost-seconds", "3600") as one:
        yield one


@pytest.fixture
def worker(platform: Platform, tmp_path: Path) -> Iterator[Worker]:
    one = Worker(tmp_path / "log", worker_environment(platform.root))
    try:
        one.until_ready()
        yield one
    finally:
        one.end()


def asked(tokens: int, *, stream: bool = True, **fake: Any) -> dict[str, Any]:
    body = {
        "model": "tiny",
        "prompt": "a b c",
        "stream": stream,
        "fake": {"tokens": tokens, **fake},
    }
    return {"openai_route": ROUTE, "openai_input": body}


def figures_with(worker: Worker, wanted: Callable[[Figures], bool]) -> Figures:
    """What is shown once it is as `wanted`."""

    def found() -> Figures | None:
        return seen if wanted(seen := Figures(worker)) else None

    return until(found, what="the figures")  # type: ignore[return-value]  # not None by now


def ended(worker: Worker, jobs: int) -> Figures:
    """What is shown once so many jobs have ended."""
    return figures_with(worker, lambda found: found("jobs_total") >= jobs)


def test_the_figures_of_a_load_agree_with_its_jobs(platform: Platform, worker: Worker) -> None:
    streams = [platform.submit(asked(5 + n, rate=200)) for n in range(20)]
    whole = [platform.submit(asked(3, stream=False)) for _ in range(10)]
    refused = [platform.submit(asked(1, status=400)) for _ in range(4)]
    failed = [platform.submit(asked(1, status=500)) for _ in range(3)]
    strange = [
        platform.submit({"route": "/v1/models/made-up", "method": "GET"}),
        platform.submit({}),
    ]
    stopped = platform.submit(asked(5000, rate=5))
    until(lambda: platform.job(stopped)["posts"], what="the first output")
    client.post(f"{platform.url}/cancel/{stopped}")
    for job in (*streams, *whole):
        platform.until(job, "COMPLETED")
    for job in (*refused, *failed, *strange):
        platform.until(job, "FAILED")
    seen = ended(worker, 40)

    assert seen("jobs_taken_total") == seen("jobs_total") == 40
    assert seen("jobs_in_hand") == 0
    assert seen("jobs_total", outcome="answered", route=ROUTE) == 30
    assert seen("jobs_total", outcome="refused", route=ROUTE) == 4
    assert seen("jobs_total", outcome="failed", route=ROUTE) == 3
    assert seen("jobs_total", outcome="refused", route="other") == 2
    assert seen("jobs_total", outcome="cancelled", route=ROUTE) == 1
    assert seen("jobs_answered_total") == 30
    assert seen("jobs_failed_total") == 9
    told = {each["route"] for each in seen.labels("jobs_total") if seen("jobs_total", **each)}
    assert told == {ROUTE, "other"}

    assert seen("job_duration_seconds_count") == 40
    assert seen("job_wait_seconds_count") == 39, "all but the one without a request"
    assert seen("job_time_to_first_token_seconds_count") == 21, "streams that gave something"
    paced = seen("job_time_per_output_token_seconds_count")
    assert 0 < paced <= 21, "a busy machine gives all of an answer at once, which has no pace"
    assert paced - 1 <= seen("job_time_per_output_token_seconds_bucket", le="2.5") <= paced
    assert seen("job_output_tokens_bucket", le="4.0") in {10, 11}, "the answers in one piece"
    assert seen("job_output_tokens_sum") == seen("tokens_total")
    assert seen("tokens_total") >= sum(range(5, 25)) + 30
    assert 0 < seen("job_time_to_first_token_seconds_sum") < seen("job_duration_seconds_sum")

    posts = sum(len(platform.job(job)["posts"]) for job in (*streams, *whole))
    assert seen("platform_posts_total", outcome="ok") >= posts + 39, "pieces and results"
    assert seen("platform_posts_total") == seen("platform_posts_total", outcome="ok")
    assert seen("platform_post_seconds_count") == seen("platform_posts_total")
    assert seen("platform_polls_total", outcome="jobs") >= 1


def test_jobs_are_counted_from_0_on(platform: Platform, tmp_path: Path) -> None:
    """Else nobody sees the first burst of failures as a growth."""
    env = {**worker_environment(platform.root), "ALLOWED_ROUTES": "/sleep"}
    worker = Worker(tmp_path / "log", env)
    try:
        worker.until_ready()
        seen = Figures(worker)
        told = {(each["outcome"], each["route"]) for each in seen.labels("jobs_total")}
        outcomes = ("answered", "refused", "failed", "cancelled")
        assert told == set(product(outcomes, (*OFFERED, "/sleep", "other")))
        assert seen("jobs_total") == 0
    finally:
        worker.end()


def test_posts_that_fail_and_polls_that_bring_nothing(platform: Platform, worker: Worker) -> None:
    platform.until(platform.submit(asked(1)), "COMPLETED")
    platform.fault(path="job-done", status=503, times=1)
    platform.until(platform.submit(asked(1)), "COMPLETED")
    platform.fault(path="job-done", status=413, times=2)
    platform.submit(asked(1))
    platform.fault(path="job-take", status=503, times=2)
    seen = figures_with(
        worker,
        lambda found: (
            found("platform_polls_total", outcome="failed") == 2
            and found("platform_posts_total", outcome="lost") == 2
        ),
    )
    assert seen("platform_posts_total", outcome="retried") == 1
    platform.no_faults()


def test_the_death_of_a_proxy_loses_no_figures(platform: Platform, worker: Worker) -> None:
    for _ in range(5):
        platform.until(platform.submit(asked(4)), "COMPLETED")
    before = ended(worker, 5)
    assert before("proxy_restarts_total") == 0
    proxy = proxy_of(worker)
    proxy.kill()
    proxy.wait(PATIENCE)  # until then the platform may hand it a job
    platform.until(platform.submit(asked(4)), "COMPLETED")
    after = ended(worker, 6)
    for name in ("jobs_taken_total", "job_duration_seconds_count", "job_wait_seconds_count"):
        assert after(name) == before(name) + 1 == 6
    assert after("tokens_total") == before("tokens_total") + 4
    assert after("platform_posts_total") > before("platform_posts_total")
    assert after("proxy_restarts_total") == 1
    assert after("restarts_total") == 0


def test_every_job_that_is_taken_ends_once_whatever_happens(
    platform: Platform, worker: Worker, tmp_path: Path
) -> None:
    """One that cannot be read, one that the next proxy runs again, one that it cannot."""
    deep = b"[" * 1000 + b"]" * 1000
    platform.submit_raw("unreadable", b'{"id": "unreadable", "input": %b}' % deep)
    go = tmp_path / "go"
    talking = platform.submit(asked(5000, rate=5))
    silent = platform.submit(asked(2, wait_for=str(go)))
    until(lambda: platform.job(talking)["posts"], what="the first output")
    assert ended(worker, 1)("jobs_taken_total") == 3
    proxy = proxy_of(worker)
    proxy.kill()
    proxy.wait(PATIENCE)
    go.touch()
    platform.until(silent, "COMPLETED")
    platform.until(talking, "FAILED")
    seen = ended(worker, 3)
    assert seen("jobs_taken_total") == seen("jobs_total") == 3
    assert seen("jobs_total", outcome="refused", route="other") == 1
    assert seen("jobs_total", outcome="failed", route="other") == 1
    assert seen("jobs_total", outcome="answered", route=ROUTE) == 1


def test_restarts_are_told_by_cause(worker: Worker) -> None:
    first = Figures(worker)
    assert first("restarts_total") == 0
    assert first.labels("engine_restarts_total") == []
    cold = first("cold_start_seconds")
    assert cold > 0
    psutil.Process(worker.engine_pid()).kill()
    until(lambda: worker.status()["state"] != "READY", what="the end of the engine")
    worker.until_ready()
    once = Figures(worker)
    assert once("restarts_total") == once("engine_restarts_total") == 1
    assert once.labels("engine_restarts_total") == [{"cause": "killed"}]
    assert once("unavailable_seconds_total") > first("unavailable_seconds_total") >= cold * 0.5
    assert once("cold_start_seconds") == cold, "of the first start alone"
    client.post(f"{worker.engine_url}/fake", content="exit-after=0")
    until(lambda: worker.status()["restarts"] == 2, what="another start")
    assert Figures(worker)("engine_restarts_total") == 2


def test_a_job_that_meets_no_engine_waits_until_one_takes_it(
    platform: Platform, tmp_path: Path
) -> None:
    """Nobody knows of the end of an idle engine but by a connection that is refused."""
    go = tmp_path / "go"
    go.touch()
    env = {"LOG_FORMAT": "json", "FAKE_VLLM": f"wait-for={go}"}
    worker = Worker(tmp_path / "log", {**worker_environment(platform.root), **env})
    try:
        worker.until_ready()
        platform.until(platform.submit(asked(2)), "COMPLETED")
        before = ended(worker, 1)("job_wait_seconds_sum")
        go.unlink()
        psutil.Process(worker.engine_pid()).kill()
        jobs = [platform.submit(asked(2, stream=stream)) for stream in (True, False, True)]
        figures_with(worker, lambda found: found("jobs_in_hand") == 3)
        time.sleep(1.0)  # for which the engine is held
        go.touch()
        for job in jobs:
            platform.until(job, "COMPLETED")
        seen = ended(worker, 4)
        assert worker.stop() == 0
        assert seen("job_wait_seconds_count") == 4
        assert seen("job_wait_seconds_sum") - before >= 3.0
        lines = [json.loads(line) for line in worker.text().splitlines()]
        waits = [line["wait_s"] for line in lines if line.get("job") in jobs and "seconds" in line]
        assert len(waits) == 3
        assert min(waits) >= 1.0
    finally:
        worker.end()


def test_a_job_may_ask_the_worker_where_that_is_on(platform: Platform, tmp_path: Path) -> None:
    """Also while there is no engine; with the token that the worker asks of others."""
    opened = {"WORKER_ROUTES": "1", "CONTROL_TOKEN": "T0ken-of-this-test"}
    go = tmp_path / "go"
    go.touch()
    env = {**worker_environment(platform.root), **opened, "FAKE_VLLM": f"wait-for={go}"}
    worker = Worker(tmp_path / "log", env)
    try:
        worker.until_ready()
        platform.until(platform.submit(asked(2)), "COMPLETED")

        def counted() -> bool:
            job = platform.submit({"openai_route": "/worker/metrics"})
            told: str = platform.until(job, "COMPLETED")["output"][0]
            return f'jobs_total{{outcome="answered",route="{ROUTE}"}} 1.0' in told

        until(counted, what="the figures")
        seen = Figures(worker, opened["CONTROL_TOKEN"])
        assert seen("jobs_taken_total") >= 2
        assert seen("jobs_total") == seen("jobs_answered_total") == 1, "a job that asked the engine"
        assert seen("job_duration_seconds_count") == 1
        post = platform.submit({"route": "/worker/status", "method": "POST"})
        assert "takes GET, not POST" in platform.until(post, "FAILED")["error"]
        go.unlink()
        client.post(f"{worker.engine_url}/fake", content="exit-after=0")
        until(lambda: worker.ping() == 503, what="the end of the engine")
        job = platform.submit({"route": "/worker/status"})
        (status,) = platform.until(job, "COMPLETED")["output"]
        assert (status["state"], status["mode"]) == ("RESTARTING", "queue")
        assert "T0ken" not in worker.text()
    finally:
        worker.end()


def test_it_may_not_by_default(platform: Platform, worker: Worker) -> None:
    for route in ("/worker/status", "/worker/metrics"):
        for job in ({"route": route}, {"openai_route": route}, {"route": f"/openai{route}"}):
            error = json.loads(platform.until(platform.submit(job), "FAILED")["error"])
            assert error["code"] == 403
            assert "WORKER_ROUTES=1" in error["message"]
    assert ended(worker, 6)("jobs_total", outcome="refused", route="other") == 6


def test_the_log_sums_the_jobs_up(platform: Platform, tmp_path: Path) -> None:
    short = (
        "import functools, sys; from supervisor.worker.metrics import summary;"
        " summary.Summary = functools.partial(summary.Summary, every=1.0);"
        " from supervisor.__main__ import main; sys.exit(main([]))"
    )
    before = [sys.executable, "-c", short]
    worker = Worker(tmp_path / "log", worker_environment(platform.root), before=before)
    try:
        worker.until_ready()
        assert "last 1 s" not in worker.text()
        for _ in range(3):
            platform.until(platform.submit(asked(4)), "COMPLETED")
        until(lambda: "last 1 s: jobs: " in worker.text(), what="a line")
        found = re.search(r"jobs: .*; first token: 0\.\d\d s \(p50\), .*", worker.text())
        assert found is not None
    finally:
        worker.end()


@pytest.mark.parametrize("timeout", ["2", "0"])
def test_the_engines_figures_are_there_without_a_proxy(start: Start, timeout: str) -> None:
    """Also where nothing is made of them."""
    worker = start(ENGINE_STALL_TIMEOUT=timeout)
    worker.until_ready()
    body = {"model": "tiny", "prompt": "a b c", "stream": True}
    fake = {"tokens": 5000, "rate": 5}
    with client.stream("POST", f"{worker.engine_url}{ROUTE}", json={**body, "fake": fake}):
        seen = figures_with(worker, lambda found: found("engine_requests_running") == 1)
    assert seen("engine_kv_cache_usage_ratio") == 1 / 64
    assert seen("engine_prefix_cache_queries_total") == 3
    runs = worker.status()["versions"]["vllm"]
    assert seen("build_info", mode="plain", vllm=runs or "unknown") == 1
    assert "vllm_supervisor_job" not in seen.text
    assert "vllm_supervisor_platform" not in seen.text
    assert "vllm_supervisor_proxy" not in seen.text
    psutil.Process(worker.engine_pid()).kill()
    figures_with(worker, lambda found: not found.labels("engine_requests_running"))


def test_every_node_that_is_ready_tells_of_its_start(tmp_path: Path) -> None:
    """Also one whose engine opens no port, so that rank 0 says when it is ready."""
    nodes = Nodes(tmp_path, 2, base=70)
    try:
        nodes.until_ready()
        for rank, worker in nodes.workers.items():
            seen = Figures(worker)
            cold = seen("cold_start_seconds")
            assert seen("ready") == 1
            assert 0 < seen("phase_seconds", phase="imports") < cold, f"rank {rank}"
            assert seen("unavailable_seconds_total") > 0
            status = worker.status()
            assert status["phases"]["engine_start"] > 0
            assert {"spawn", "imports"} <= {part["name"] for part in status["start"]}
            with client.stream("GET", f"http://127.0.0.1:{worker.control_port}/events") as events:
                first = next(events.iter_lines())
            start = json.loads(first.removeprefix("data: "))["start"]
            assert (start["outcome"], start["phases"]) == ("over", list(status["phases"]))
            assert "longest: " in start["advice"]
            assert "start: in all" in worker.text()
    finally:
        nodes.end()
