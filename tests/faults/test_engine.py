"""An engine that hangs, stalls, dies, storms or leaves something behind."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
from typing import Any

import httpx
import psutil
import pytest

from tests import client
from tests.conftest import Start
from tests.processes import Worker, until


def ask(worker: Worker, **fake: Any) -> httpx.Response:
    body = {"model": "tiny", "prompt": "x", "stream": True, "fake": fake}
    return client.post(f"{worker.engine_url}/v1/completions", json=body)


def tell(worker: Worker, words: str) -> None:
    assert client.post(f"{worker.engine_url}/fake", content=words).status_code == 200


def asking(worker: Worker, **fake: Any) -> threading.Thread:
    """A client that waits for an answer, whatever becomes of it."""

    def wait() -> None:
        with contextlib.suppress(httpx.HTTPError):
            ask(worker, **fake)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    until(lambda: client.running(worker.engine_url) >= 1, what="the request at work")
    return thread


def test_a_start_that_hangs_says_where(start: Start) -> None:
    worker = start(
        FAKE_VLLM="hang-start",
        FAKE_VLLM_LINES="INFO 01-01 [gpu_model_runner.py:5040] Starting to load model tiny...",
        STARTUP_TIMEOUT="6",
        MAX_RESTARTS="0",
    )
    until(lambda: worker.ping() == 204, what="the control port")
    until(lambda: worker.status()["doing"] == "loading the weights", what="the phase")
    assert worker.wait() == 71
    assert "not ready after 6 s, still loading the weights" in worker.text()
    assert worker.left() == []


def test_a_frozen_engine_is_killed_and_started_again(start: Start) -> None:
    worker = start(FAKE_VLLM="orphan")
    worker.until_ready()
    first = worker.engine_pid()
    left = psutil.Process(first).children()
    psutil.Process(first).send_signal(signal.SIGSTOP)
    until(lambda: worker.ping() == 503, what="the loss of the engine")
    until(lambda: worker.ping() == 200, what="the restart")
    assert worker.engine_pid() != first
    assert not [process for process in left if process.is_running()]
    assert "did not answer 3 health probes in a row" in worker.status()["last_failure"]


def test_an_engine_that_says_it_is_dead_is_not_ready_at_once(start: Start) -> None:
    """And it is killed where it does not end by itself."""
    worker = start()
    worker.until_ready()
    first = worker.engine_pid()
    tell(worker, "health=503")
    until(lambda: worker.ping() == 503, what="the loss")
    assert psutil.pid_exists(first), "it may end by itself"
    until(lambda: worker.ping() == 200, what="the restart")
    assert "said that it is dead and did not end" in worker.status()["last_failure"]


CORE = "(EngineCore pid=7) ERROR 11-26 08:00:00 [core.py:1512] "
BOOM = "\n".join(
    CORE + line
    for line in (
        "EngineCore encountered a fatal error.",
        "Traceback (most recent call last):",
        '  File "/x/core.py", line 9, in step',
        "RuntimeError: boom 7",
    )
)


def lose_the_core(worker: Worker) -> None:
    worker.until_ready()
    until(lambda: re.search(r"core \d+", worker.text()), what="the core's line")
    psutil.Process(int(re.findall(r"core (\d+)", worker.text())[-1])).kill()


def test_a_dead_core_has_time_to_say_why(start: Start) -> None:
    """VLLM 0.10 answers /health with 500 then, which is no silence."""
    worker = start(FAKE_VLLM="core core-end=4", FAKE_VLLM_LINES=BOOM)
    lose_the_core(worker)
    until(lambda: worker.status()["restarts"] == 1, what="the restart")
    text = worker.text()
    assert "of the class RuntimeError" in worker.status()["last_failure"]
    assert "health probes" not in text
    assert "exit code 1): the engine ended with code 1" in text, "by itself"
    worker.until_ready()


def test_what_a_dead_core_said_is_told_also_where_its_server_goes_on(start: Start) -> None:
    worker = start(FAKE_VLLM="core", FAKE_VLLM_LINES=BOOM)
    lose_the_core(worker)
    until(lambda: worker.status()["restarts"] == 1, what="the restart")
    said = "the engine failed; its last error was of the class RuntimeError; "
    assert worker.status()["last_failure"].startswith(said)
    assert "(it said: RuntimeError: boom 7)" in worker.text(), "for the operator"
    assert "boom" not in worker.status()["last_failure"], "for everybody"
    assert "health probes" not in worker.text()


def test_an_error_of_health_that_passes_does_no_harm(start: Start) -> None:
    worker = start()
    worker.until_ready()
    tell(worker, "health=500")
    until(lambda: worker.ping() == 503, what="the error")
    tell(worker, "health=200")
    until(lambda: worker.ping() == 200, what="the recovery")
    assert worker.status()["restarts"] == 0
    assert "restarting" not in worker.text()


def test_a_core_that_stands_still_is_seen_by_silence_and_a_request(start: Start) -> None:
    """/health goes on answering 200."""
    worker = start(ENGINE_STALL_TIMEOUT="2")
    worker.until_ready()
    first = worker.engine_pid()
    tell(worker, "stall")
    asking(worker, tokens=5)
    until(lambda: worker.status()["restarts"] == 1, what="the restart")
    assert "the engine gave no token to any" in worker.status()["last_failure"]
    until(lambda: worker.ping() == 200, what="the restart")
    assert worker.engine_pid() != first


@pytest.mark.parametrize(
    "fake",
    [
        {"tokens": 3, "rate": 0.25},  # slow, and at work
        {"first_token_s": 8, "tokens": 1},  # a long prompt: nothing moves, others are answered
    ],
)
def test_a_busy_engine_is_not_a_hung_one(start: Start, fake: dict[str, Any]) -> None:
    worker = start(ENGINE_STALL_TIMEOUT="3")
    worker.until_ready()
    assert "[DONE]" in ask(worker, **fake).text
    assert worker.status()["restarts"] == 0


def test_an_idle_engine_is_not_asked_for_anything(start: Start) -> None:
    worker = start(ENGINE_STALL_TIMEOUT="1")
    worker.until_ready()
    tell(worker, "stall")

    def asked(path: str) -> int:
        counts: dict[str, int] = client.get(f"{worker.engine_url}/fake").json()
        return counts.get(path, 0)

    before = asked("/metrics")
    until(lambda: asked("/metrics") > before + 10, what="the looks of twice that time")
    assert asked("/v1/completions") == 0
    assert worker.status()["restarts"] == 0


@pytest.mark.parametrize("kind", ["orphan", "daemon"])
def test_nothing_is_left_of_an_engine_before_the_next_starts(start: Start, kind: str) -> None:
    """Neither in its process group nor in a session of its own."""
    worker = start(FAKE_VLLM=kind)
    worker.until_ready()
    left = int(re.findall(rf"{kind} (\d+)", worker.text())[0])
    psutil.Process(worker.engine_pid()).kill()
    until(lambda: worker.text().count("engine spawned") == 2, what="the next start")
    assert not psutil.pid_exists(left)
    worker.until_ready()
    assert worker.stop() == 0
    assert worker.left() == []


def test_orphans_that_have_ended_are_reaped(start: Start) -> None:
    """The worker is the parent of what its descendants leave behind, also in a container."""
    worker = start(FAKE_VLLM="daemon")
    worker.until_ready()
    daemon = int(re.findall(r"daemon (\d+)", worker.text())[0])
    # The engine is its parent; that of the engine's orphan is the worker.
    psutil.Process(daemon).kill()
    psutil.Process(worker.engine_pid()).kill()
    until(lambda: worker.text().count("engine spawned") == 2, what="the next start")
    worker.until_ready()
    own = psutil.Process(worker.process.pid).children(recursive=True)
    assert not [child for child in own if child.status() == psutil.STATUS_ZOMBIE]


@pytest.mark.slow
def test_an_engine_that_ignores_sigterm_is_killed_in_its_time(start: Start) -> None:
    worker = start(FAKE_VLLM="ignore-term orphan", DRAIN_TIMEOUT="1")
    worker.until_ready()
    assert worker.stop(seconds=60) == 0  # 70 without DRAIN_TIMEOUT
    assert worker.left() == []


@pytest.mark.slow
def test_a_crash_storm_is_met_with_growing_pauses_and_given_up(start: Start) -> None:
    worker = start(FAKE_VLLM="exit=1", FAKE_VLLM_LINES="RuntimeError: boom", MAX_RESTARTS="3")
    assert worker.wait() == 70
    text = worker.text()
    waits = [float(wait) for wait in re.findall(r"restarting the engine in ([\d.]+) s", text)]
    assert len(waits) == 3
    assert waits[2] > waits[1] > waits[0] * 0.99
    assert "giving up with exit code 70: the engine ended with code 1" in text
    assert "RuntimeError: boom" in text
