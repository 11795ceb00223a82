"""An engine that is healthy and not warm yet: who waits for it, and what ends that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import client
from tests.conftest import Start
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.faults.test_engine import BOOM
from tests.processes import Worker, free_port, until

CHAT = "/v1/chat/completions"
#: It answers /health, and no request before it is told to.
STALLED = {"FAKE_VLLM": "stall", "WARMUP": "1"}


def job(user: str) -> dict[str, Any]:
    body = {"model": "tiny", "prompt": "x", "user": user, "fake": {"tokens": 2}}
    return {"openai_route": "/v1/completions", "openai_input": body}


def tell(worker: Worker, words: str) -> None:
    assert client.post(f"{worker.engine_url}/fake", content=words).status_code == 200


def asked(worker: Worker, path: str) -> int:
    counts: dict[str, int] = client.get(f"{worker.engine_url}/fake").json()
    return counts.get(path, 0)


def warming(worker: Worker) -> None:
    until(lambda: worker.ping() is not None, what="the control port")
    until(lambda: worker.status()["doing"] == "warming up", what="the warm-up")


def test_jobs_wait_for_a_warm_engine(platform: Platform, start: Start, tmp_path: Path) -> None:
    """At the first start, and at each one after it; what warms it is none of them."""
    done, file = tmp_path / "done", tmp_path / "warmup.jsonl"
    slow = {"prompt": "x", "stream": True, "user": "warm", "fake": {"tokens": 20, "rate": 20}}
    file.write_text(json.dumps({"route": "/v1/completions", "body": slow}) + "\n")
    more = {"WARMUP": str(file), "FAKE_VLLM_DONE": str(done)}
    worker = start(**{**STALLED, **worker_environment(platform.root), **more})
    warming(worker)
    first = platform.submit(job("first"))
    assert worker.ping() == 204
    tell(worker, "")
    platform.until(first, "COMPLETED")
    assert worker.status()["phases"]["warmup"] > 0
    psutil.Process(worker.engine_pid()).kill()
    until(lambda: worker.status()["restarts"] == 1, what="the restart")
    second = platform.submit(job("second"))
    warming(worker)
    until(lambda: worker.status()["jobs"]["jobs"] == 1, what="the job in hand")
    assert worker.ping() == 503
    tell(worker, "")
    platform.until(second, "COMPLETED")
    assert done.read_text().split() == ["warm", "first", "warm", "second"]
    until(lambda: worker.status()["jobs"]["answered"] == 2, what="the figures")
    assert worker.status()["jobs"]["taken"] == 2
    assert worker.stop() == 0


def test_behind_a_balancer_it_is_not_ready_before(start: Start) -> None:
    port = free_port()
    worker = start(
        **{**STALLED, "WARMUP": "", "WORKER_MODE": "load-balancer", "PORT": str(port)},
        VLLM_PORT="",
    )
    worker.engine_port = port
    warming(worker)
    assert worker.ping() == 204
    tell(worker, "")
    worker.until_ready()
    assert asked(worker, CHAT) == 5
    assert f"warmed up: 5 requests to {CHAT}, the first one answered after" in worker.text()


def test_in_plain_mode_only_where_it_is_wanted(start: Start) -> None:
    worker = start(WARMUP="")
    worker.until_ready()
    assert asked(worker, CHAT) == 0


def test_a_key_is_sent(start: Start) -> None:
    worker = start(WARMUP="1", VLLM_API_KEY="a-key-of-the-engine")
    worker.until_ready()
    assert "warmed up: 5 requests" in worker.text()


def test_a_stop_does_not_wait_for_it(start: Start) -> None:
    worker = start(**STALLED, WARMUP_TIMEOUT="3600")
    warming(worker)
    assert worker.stop() == 0
    assert worker.left() == []


def test_each_start_is_warmed_up(start: Start) -> None:
    worker = start(WARMUP="1")
    worker.until_ready()
    assert worker.text().count(" warmed up: 5 requests") == 1
    psutil.Process(worker.engine_pid()).kill()
    until(lambda: worker.status()["restarts"] == 1, what="the restart")
    worker.until_ready()
    assert worker.text().count(" warmed up: 5 requests") == 2


def test_one_without_an_answer_is_told_and_not_tried_again(start: Start) -> None:
    """It may be what hangs the engine."""
    worker = start(**STALLED, WARMUP_TIMEOUT="1")
    worker.until_ready()
    why = "not warmed up: no answer within 1 s (WARMUP_TIMEOUT)"
    assert why in worker.text()
    psutil.Process(worker.engine_pid()).kill()
    until(lambda: worker.status()["restarts"] == 1, what="the restart")
    worker.until_ready()
    assert "not warmed up: an engine before answered nothing in its warm-up" in worker.text()
    assert asked(worker, CHAT) == 0


def test_one_that_is_too_long_is_told_and_tried_again(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "warmup.jsonl"
    bodies = [{"prompt": "x", "fake": {"tokens": tokens, "rate": 1}} for tokens in (1, 3600)]
    file.write_text(
        "".join(json.dumps({"route": "/v1/completions", "body": body}) + "\n" for body in bodies)
    )
    worker = start(WARMUP=str(file), WARMUP_TIMEOUT="3")
    worker.until_ready()
    psutil.Process(worker.engine_pid()).kill()
    until(lambda: worker.status()["restarts"] == 1, what="the restart")
    worker.until_ready()
    told = f"not warmed up: 1 of 2 requests of {file} were answered within 3 s (WARMUP_TIMEOUT)"
    assert worker.text().count(told) == 2


def test_an_engine_that_dies_of_it_has_failed_to_start(start: Start) -> None:
    """The next one is started without, so that the worker can serve all the same."""
    worker = start(**STALLED, FAKE_VLLM_LINES=BOOM)
    warming(worker)
    tell(worker, "stall exit-after=0")
    until(lambda: worker.status()["restarts"] == 1, what="the restart")
    assert "of the class RuntimeError" in worker.status()["last_failure"]
    assert "failure 1 of at most" in worker.text()
    worker.until_ready()
    assert asked(worker, CHAT) == 0
    assert "not warmed up: the engine before ended in its warm-up" in worker.text()
    psutil.Process(worker.engine_pid()).kill()  # by somebody else, as that one may have been
    until(lambda: worker.status()["restarts"] == 2, what="the second restart")
    warming(worker)


def test_what_it_prints_by_then_is_no_cause_of_a_start(start: Start) -> None:
    """It listens: whoever reaches it can make it print that, and no start would end so again."""
    refused = "vllm serve: error: argument --max-model-len: invalid value: 'x'"
    worker = start(**STALLED, FAKE_VLLM_LINES=refused)
    warming(worker)
    tell(worker, "stall exit-after=0")
    until(lambda: worker.status()["restarts"] == 1, what="the restart")
    assert "refused" not in worker.status()["last_failure"]
    worker.until_ready()


# --- a file of requests ---


def test_the_requests_of_a_file_are_sent(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "warmup.jsonl"
    file.write_text('{"route": "/v1/completions", "body": {"prompt": "x", "max_tokens": 1}}\n' * 3)
    worker = start(WARMUP=str(file))
    worker.until_ready()
    assert f"warmed up: 3 requests of {file}, the first one answered after" in worker.text()
    assert (asked(worker, CHAT), asked(worker, "/v1/completions")) == (0, 3)


def test_one_that_the_engine_refuses_is_told(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "warmup.jsonl"
    file.write_text('{"route": "/classify", "body": {"input": "secret"}}\n')
    worker = start(WARMUP=str(file))
    worker.until_ready()
    text = worker.text()
    assert "not warmed up: the engine answered 404 on /classify: Not Found" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"route": "/classify", "body": {}}\nhello\n', "line 2 is no JSON"),
        ('{"route": "/v1/sleep", "body": {}}\n', 'line 1 asks for "/v1/sleep", which is neither'),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_used_ends_the_start_before_the_engine(
    start: Start, tmp_path: Path, text: Any, reason: str
) -> None:
    file = tmp_path / "warmup.jsonl"
    if text is not None:
        file.write_text(text)
    worker = start(WARMUP=str(file))
    assert worker.wait() == 78
    assert f"WARMUP={file}" in worker.text()
    assert reason in worker.text()
    assert "engine spawned" not in worker.text()
    assert "Traceback" not in worker.text()
