"""A worker that cannot start: who hears why, and when it ends."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.client import PATIENCE
from tests.conftest import Start
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import Worker, until

REFUSED = "vllm serve: error: argument --max-model-len: invalid value: 'x'"
GATED = "huggingface_hub.errors.GatedRepoError: 403 Client Error. Access to model m is restricted"
NO_GPU = "RuntimeError: No CUDA GPUs are available"
LOST_GPU = (
    "ValueError: World size (4) is larger than the number of available GPUs (3) in this node."
)
NO_FILE = "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/lora.json'"
WRONG = {"FAKE_VLLM": "exit=2", "FAKE_VLLM_LINES": REFUSED, "MAX_MODEL_LEN": "9"}
NAMED = {"FAKE_VLLM": "exit=1", "FAKE_VLLM_LINES": NO_FILE}


def starting(platform: Platform, start: Start, worker: str, **environment: str) -> Worker:
    return start(**worker_environment(platform.root, worker_id=worker), **environment)


def error_of(platform: Platform, job: str) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(platform.until(job, "FAILED")["error"])
    return error


@pytest.mark.parametrize(
    ("worker", "environment", "said"),
    [
        ("wrong-engine", WRONG, "the value of --max-model-len"),
        ("wrong-model", {"FAKE_VLLM": "exit=1", "FAKE_VLLM_LINES": GATED}, "set HF_TOKEN"),
        ("wrong-file", NAMED | {"ENABLE_LORA": "1", "LORA_MODULES": "a=/nowhere/lora.json"},
         "/nowhere/lora.json"),
        ("wrong-setting", {"MAX_MODEL_LEN": "abc"}, "MAX_MODEL_LEN"),
        ("wrong-path", {"MODEL_NAME": "/nowhere/model"}, "/nowhere/model does not exist"),
        ("wrong-command", {"VLLM_COMMAND": "/nowhere/vllm"}, "set VLLM_COMMAND"),
    ],
)  # fmt: skip
def test_jobs_are_told_why_no_worker_can_start(
    platform: Platform, start: Start, worker: str, environment: dict[str, str], said: str
) -> None:
    """The one that waited and the ones that come; pings are ordinary until just before the end."""
    waiting = platform.submit({"prompt": "x"})
    one = starting(platform, start, worker, **environment)
    error = error_of(platform, waiting)
    assert (error["code"], said in error["message"]) == (503, True), error
    another = platform.submit({"prompt": "x"})
    assert said in error_of(platform, another)["message"]
    until(lambda: platform.workers()[worker]["pings"], what="a ping: it is taken for a worker")
    assert platform.workers()[worker]["unhealthy"] == []
    assert one.ping() == 503
    assert one.status()["answering"]
    quiet = time.monotonic()
    assert one.wait() == (127 if worker == "wrong-command" else 78)
    assert time.monotonic() - quiet > 5, "another job might have come"
    (reported,) = platform.workers()[worker]["unhealthy"]
    assert said in reported["reason"]
    assert one.left() == []
    assert "Traceback" not in one.text()


def test_it_ends_although_jobs_go_on_to_come(platform: Platform, start: Start) -> None:
    """And the last one is answered, too."""
    one = starting(platform, start, "busy", MAX_MODEL_LEN="abc", ANSWER_FAILED_FOR="3")
    jobs = []
    while one.process.poll() is None:
        jobs.append(platform.submit({"prompt": "x"}))
        time.sleep(0.1)
    assert one.wait() == 78
    states = [platform.job(job)["status"] for job in jobs]
    answered = states.count("FAILED")
    assert answered > 10
    assert set(states[answered:]) <= {"IN_QUEUE"}, "none is in nobody's hands"
    for job in jobs[answered:]:
        platform.cancel(job)


def test_a_stop_ends_it_at_once(platform: Platform, start: Start) -> None:
    one = starting(platform, start, "stopped", MAX_MODEL_LEN="abc", ANSWER_FAILED_FOR="3600")
    error_of(platform, platform.submit({"prompt": "x"}))
    assert one.stop(signal.SIGTERM) == 78
    assert one.left() == []


def test_a_proxy_that_dies_meanwhile_holds_nothing_up(platform: Platform, start: Start) -> None:
    one = starting(platform, start, "dying", MAX_MODEL_LEN="abc", ANSWER_FAILED_FOR="3600")
    for _ in range(3):
        error_of(platform, platform.submit({"prompt": "x"}))
        # Its process for pings looks the same.
        proxies = [each for each in one.left() if each.cmdline()[1:] == ["-m", "proxy"]]
        for process in proxies:
            process.kill()
            process.wait(PATIENCE)
    assert one.wait() == 78
    (reported,) = platform.workers()["dying"]["unhealthy"]
    assert "MAX_MODEL_LEN" in reported["reason"]
    assert one.left() == []


@pytest.mark.parametrize(
    ("worker", "environment", "code", "said"),
    [
        ("no-gpu", {"FAKE_VLLM": "exit=1", "FAKE_VLLM_LINES": NO_GPU}, 78, "sees no GPU"),
        ("lost-gpu", {"FAKE_VLLM": "exit=1", "FAKE_VLLM_LINES": LOST_GPU}, 78, "machine has 3"),
        ("missing-file", NAMED | {"MAX_RESTARTS": "0"}, 70, "a file of the model"),
        ("turned-off", {"MAX_MODEL_LEN": "abc", "ANSWER_FAILED_FOR": "0"}, 78, "cannot be used"),
        ("unreadable", {"MAX_CONCURRENCY": "0"}, 78, "MAX_CONCURRENCY"),
        ("port", {"PORT_HEALTH": "{port}"}, 78, "is taken by"),
    ],
)
def test_the_job_is_left_to_another_worker(
    platform: Platform, start: Start, worker: str, environment: dict[str, str], code: int, said: str
) -> None:
    """Where another machine may do, where that is wished, and where the proxy cannot run."""
    waiting = platform.submit({"prompt": "x"})
    filled = {
        name: text.replace("{port}", str(platform.port)) for name, text in environment.items()
    }
    one = starting(platform, start, worker, **filled)
    assert one.wait() == code
    assert platform.job(waiting)["status"] == "IN_QUEUE"
    reported = platform.workers()[worker]["unhealthy"]
    assert said in reported[-1]["reason"], reported
    assert one.left() == []
    platform.cancel(waiting)


def test_no_machine_that_is_not_fit_ends_it(platform: Platform, start: Start) -> None:
    """What the SDK checks before the first job is left out."""
    one = starting(platform, start, "unfit-too", MAX_MODEL_LEN="abc", RUNPOD_MIN_MEMORY_GB="100000")
    assert "MAX_MODEL_LEN" in error_of(platform, platform.submit({"prompt": "x"}))["message"]
    assert one.stop() == 78


def test_checks_that_were_under_way_do_not_end_it(
    platform: Platform, start: Start, tmp_path: Path
) -> None:
    """The engine is faster than the machine's checks."""
    command = tmp_path / "nvidia-smi"
    command.write_text(f"#!/bin/sh\nwhile [ ! -e {tmp_path}/go ]; do sleep 0.05; done; exit 15")
    command.chmod(0o755)
    waiting = platform.submit({"prompt": "x"})
    one = starting(
        platform,
        start,
        "slow-check",
        **WRONG,
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        NVIDIA_VISIBLE_DEVICES="all",
    )
    until(lambda: "answering jobs with the cause" in one.text(), what="the engine's end")
    (tmp_path / "go").touch()
    assert "--max-model-len" in error_of(platform, waiting)["message"]
    assert platform.workers()["slow-check"]["unhealthy"] == []
    assert one.stop() == 78
