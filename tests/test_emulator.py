"""The emulator against the real SDK, as a real process, and the real OpenAI client."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest

from tests.emulator.environment import worker_environment
from tests.processes import ROOT, free_port, until

HANDLER = """
import asyncio, json, runpod

async def handler(job):
    given = job["input"]
    if "openai_route" in given:
        body = given["openai_input"] or {}
        if body.get("model") == "wrong":
            error = {"message": "no such model", "type": "NotFoundError", "param": "model",
                     "code": 404}
            if body.get("stream"):
                yield "data: " + json.dumps({"error": error}) + "\\n\\n"
            yield {"error": json.dumps(error)}
        elif body.get("stream"):
            for word in ("one", "two"):
                choice = {"index": 0, "delta": {"content": word}}
                yield "data: " + json.dumps({"choices": [choice]}) + "\\n\\n"
            yield "data: [DONE]\\n\\n"
        else:
            yield {"object": "list", "data": [{"id": "m", "object": "model"}]}
    elif given.get("fail"):
        yield {"error": "it failed"}
    else:
        for number in range(given.get("yields", 2)):
            yield {"number": number}
            await asyncio.sleep(given.get("pause", 0))

runpod.serverless.start({"handler": handler, "return_aggregate_stream": True,
                         "concurrency_modifier": lambda _: 5})
"""


@dataclass(frozen=True)
class Endpoint:
    url: str

    def submit(self, given: Any, **more: Any) -> str:
        body = {"input": given, **more}
        return str(httpx.post(f"{self.url}/run", json=body, trust_env=False).json()["id"])

    def status(self, job: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/status/{job}", trust_env=False).json()
        return found

    def until(self, job: str, *states: str) -> dict[str, Any]:
        until(lambda: self.status(job)["status"] in states, 15, f"{states} of {job}")
        return self.status(job)

    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/openai/v1", api_key="x", max_retries=0)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """An emulator with one worker of the SDK's."""
    port = free_port()
    root = f"http://127.0.0.1:{port}"
    script = tmp_path_factory.mktemp("sdk") / "worker.py"
    script.write_text(HANDLER)
    emulator = [sys.executable, "-m", "tests.emulator", "--port", str(port)]
    env = {
        **os.environ,
        **worker_environment(root),
        "RUNPOD_SKIP_GPU_CHECK": "true",
        "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
        "RUNPOD_LOG_LEVEL": "ERROR",
    }
    with (
        subprocess.Popen(emulator, cwd=ROOT, stdout=subprocess.DEVNULL) as server,
        subprocess.Popen([sys.executable, str(script)], env=env) as worker,
    ):
        try:
            found = Endpoint(f"{root}/v2/local")
            until(lambda: _serves(found), 15, "the emulator")
            yield found
        finally:
            worker.kill()
            server.terminate()
            assert server.wait(10) == 0


def _serves(endpoint: Endpoint) -> bool:
    try:
        return httpx.get(f"{endpoint.url}/health", trust_env=False).is_success
    except httpx.HTTPError:
        return False


def test_a_job_from_submission_to_output(endpoint: Endpoint) -> None:
    found = endpoint.until(endpoint.submit({"yields": 3}), "COMPLETED")
    assert found["output"] == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert found["executionTime"] >= 0
    assert found["workerId"] == "worker-1"


def test_runsync(endpoint: Endpoint) -> None:
    body = {"input": {"yields": 1}}
    found = httpx.post(f"{endpoint.url}/runsync", json=body, trust_env=False, timeout=20).json()
    assert (found["status"], found["output"]) == ("COMPLETED", [{"number": 0}])


def test_stream_hands_out_each_output_once(endpoint: Endpoint) -> None:
    job = endpoint.submit({"yields": 5, "pause": 0.05})
    outputs: list[Any] = []

    def ended() -> bool:
        found = httpx.get(f"{endpoint.url}/stream/{job}", trust_env=False).json()
        outputs.extend(entry["output"]["number"] for entry in found["stream"])
        return str(found["status"]) == "COMPLETED" and not found["stream"]

    until(ended, 15)
    assert outputs == [0, 1, 2, 3, 4]


def test_a_failed_job_can_be_retried(endpoint: Endpoint) -> None:
    job = endpoint.submit({"fail": True})
    assert endpoint.until(job, "FAILED")["error"] == "it failed"
    httpx.post(f"{endpoint.url}/retry/{job}", trust_env=False)
    assert endpoint.until(job, "FAILED")["error"] == "it failed"


def test_cancel_stops_the_job_in_the_worker(endpoint: Endpoint) -> None:
    job = endpoint.submit({"yields": 1000, "pause": 0.05})
    endpoint.until(job, "IN_PROGRESS")
    httpx.post(f"{endpoint.url}/cancel/{job}", trust_env=False)
    assert endpoint.status(job)["status"] == "CANCELLED"
    health = until(
        lambda: httpx.get(f"{endpoint.url}/health", trust_env=False).json(), what="health"
    )
    assert health["jobs"]["inProgress"] == 0


def test_a_job_that_takes_too_long_times_out(endpoint: Endpoint) -> None:
    job = endpoint.submit({"yields": 1000, "pause": 0.05}, policy={"executionTimeout": 200})
    endpoint.until(job, "TIMED_OUT")


def test_the_openai_client(endpoint: Endpoint) -> None:
    assert [model.id for model in endpoint.client().models.list()] == ["m"]
    chunks = endpoint.client().chat.completions.create(
        model="m", messages=[{"role": "user", "content": "x"}], stream=True
    )
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["one", "two"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_reaches_the_openai_client(endpoint: Endpoint, stream: bool) -> None:
    with pytest.raises(openai.NotFoundError, match="no such model"):
        endpoint.client().chat.completions.create(
            model="wrong", messages=[{"role": "user", "content": "x"}], stream=stream
        )


def test_too_large_and_malformed_bodies_are_refused(endpoint: Endpoint) -> None:
    large = {"input": "x" * 10_000_001}
    for answer in (
        httpx.post(f"{endpoint.url}/run", json=large, trust_env=False),
        httpx.post(f"{endpoint.url}/run", content=b"{", trust_env=False),
        httpx.post(f"{endpoint.url}/run", json={}, trust_env=False),
    ):
        assert answer.status_code == 400
        assert "error" in answer.json()


def test_a_job_of_a_poll_that_was_closed_is_delivered_again() -> None:
    """The connection ends while the job is on its way: it goes to the next worker that asks."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/v2/local"
    emulator = [sys.executable, "-m", "tests.emulator", "--port", str(port)]
    with subprocess.Popen(
        [*emulator, "--latency-ms", "1000"], cwd=ROOT, stdout=subprocess.DEVNULL
    ) as server:
        try:
            found = Endpoint(url)
            until(lambda: _serves(found), 15)
            job = found.submit({})
            take = f"{url}/job-take/w1"
            headers = {"Authorization": "emulator-key"}
            with pytest.raises(httpx.ReadTimeout):
                httpx.get(take, headers=headers, timeout=0.7, trust_env=False)
            answer = httpx.get(take, headers=headers, timeout=10, trust_env=False)
            assert answer.json()["id"] == job
            assert httpx.get(take, trust_env=False, timeout=10).status_code == 401
        finally:
            server.terminate()


def test_the_port_is_taken(endpoint: Endpoint) -> None:
    port = endpoint.url.split(":")[2].split("/")[0]
    again = subprocess.run(
        [sys.executable, "-m", "tests.emulator", "--port", port],
        cwd=ROOT, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert again.returncode == 1
    assert f"port {port} cannot be listened on" in again.stderr
    assert "Traceback" not in again.stderr
