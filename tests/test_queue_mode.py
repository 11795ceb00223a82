"""The whole worker in queue mode: the real SDK, a stand-in engine, the platform's emulator."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.client import PATIENCE
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import Worker, until


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    # What holds a stop up by mistake is to hold it up for longer than a busy machine does.
    with Platform("--poll-seconds", "600", "--worker-lost-seconds", "3600") as one:
        yield one


@pytest.fixture
def worker(platform: Platform, tmp_path: Path) -> Iterator[Worker]:
    one = Worker(tmp_path / "log", {**worker_environment(platform.root), "LOG_CONTENT": ""})
    try:
        one.until_ready()
        yield one
    finally:
        one.end()


def streaming(tokens: int, rate: float) -> dict[str, Any]:
    body = {"model": "tiny", "prompt": "x", "stream": True}
    fake = {"tokens": tokens, "rate": rate}
    return {"openai_route": "/v1/completions", "openai_input": {**body, "fake": fake}}


def test_a_job_is_answered_and_logged_without_its_text(platform: Platform, worker: Worker) -> None:
    job = platform.submit({"prompt": "secret-prompt", "sampling_params": {"max_tokens": 5}})
    found = platform.until(job, "COMPLETED")
    assert found["output"][0]["choices"][0]["tokens"] == [" w0 w1 w2 w3 w4"]
    assert worker.status()["mode"] == "queue"
    until(lambda: f"job {job}: /v1/completions 200" in worker.text(), what="the job's line")
    assert "secret-prompt" not in worker.text()
    assert " w3" not in worker.text()


def test_a_secret_in_a_job_is_not_logged_with_its_text(platform: Platform, tmp_path: Path) -> None:
    key = "sk-proj-Zk3vQ9xT7bLm2RfW8yHcJ4nP"
    worker = Worker(tmp_path / "log", {**worker_environment(platform.root), "LOG_CONTENT": "1"})
    try:
        worker.until_ready()
        job = platform.submit({"prompt": f"said Authorization: Bearer {key} aloud"})
        platform.until(job, "COMPLETED")
        until(lambda: f"job {job}: /v1/completions 200" in worker.text(), what="the job's line")
        assert "said Authorization" in worker.text()
        assert key not in worker.text()
    finally:
        worker.end()


def test_a_client_that_closes_its_stream_at_the_end_has_been_answered(
    platform: Platform, worker: Worker
) -> None:
    """As OpenAI's does at `[DONE]`: the platform stops the job before the worker has ended it."""
    before = worker.status()["jobs"]
    with openai.OpenAI(
        base_url=f"{platform.url}/openai/v1", api_key="x", timeout=PATIENCE
    ) as client:
        for number in range(20):
            fake = {"tokens": 10 + number, "rate": 100}
            stream = client.completions.create(
                model="tiny", prompt="x", stream=True, extra_body={"fake": fake}
            )
            assert len([chunk for chunk in stream if chunk.choices[0].text]) == 10 + number

    def done() -> dict[str, int]:
        jobs = worker.status()["jobs"]
        return {name: jobs[name] - before[name] for name in jobs}

    ends = ("answered", "cancelled", "failed")
    until(lambda: sum(done()[end] for end in ends) == 20, what="the figures")
    assert (done()["answered"], done()["cancelled"], done()["failed"]) == (20, 0, 0)
    lines = re.findall(r"job \S+: /v1/completions (\w+), ", worker.text())
    assert lines == ["200"] * 20


def test_sigterm_finishes_jobs_in_hand_and_nothing_is_left(
    platform: Platform, worker: Worker
) -> None:
    jobs = [platform.submit(streaming(40, 40)) for _ in range(3)]
    for job in jobs:
        until(lambda job=job: platform.job(job)["posts"], what="the first batch")  # type: ignore[misc]
    worker.process.send_signal(signal.SIGTERM)
    for job in jobs:
        found = platform.until(job, "COMPLETED")
        assert "".join(found["output"]).count('"text"') >= 40
        assert "[DONE]" in found["output"][-1]
        assert found["done"] == 1
    late = platform.submit(streaming(1, 0))
    assert worker.wait() == 0
    assert worker.left() == []
    # In a poll that had just begun it may still have come; then it is answered.
    assert platform.job(late)["status"] in {"IN_QUEUE", "COMPLETED"}


def test_an_idle_worker_stops_at_once(platform: Platform, worker: Worker) -> None:
    """The SDK's own polls would hold it for up to ten minutes."""
    platform.until(platform.submit({"prompt": "x"}), "COMPLETED")
    assert worker.stop() == 0
    assert worker.left() == []


def test_a_proxy_that_dies_is_started_again(platform: Platform, worker: Worker) -> None:
    platform.until(platform.submit({"prompt": "x"}), "COMPLETED")
    engine = worker.engine_pid()
    proxies = [p for p in worker.left() if p.cmdline()[1:] == ["-m", "proxy"]]
    for process in proxies:
        process.kill()
        # Until then the platform may hand a job to the dying one; nobody has it.
        process.wait(PATIENCE)
    platform.until(platform.submit({"prompt": "x"}), "COMPLETED")
    assert worker.engine_pid() == engine
    assert worker.status()["restarts"] == 0


def test_a_stop_during_the_start_ends_at_once(platform: Platform, tmp_path: Path) -> None:
    """The proxy is asking for readiness just then; that holds nothing up."""
    environment = {**worker_environment(platform.root), "FAKE_VLLM": "hang-start"}
    one = Worker(tmp_path / "log", environment)
    try:
        until(lambda: one.ping() == 204, what="the control port")
        until(lambda: len(one.left()) >= 3, what="engine and proxy")
        assert one.stop() == 0
        assert one.left() == []
    finally:
        one.end()
