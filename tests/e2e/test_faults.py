"""What the real engine can be made to do: die in parts, freeze in parts, be stopped."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from proxy.stream import sse
from tests import client, turns
from tests.client import PATIENCE
from tests.e2e.conftest import engine_environment, give_way
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.faults.test_jobs import begun
from tests.processes import Worker, until

pytestmark = [pytest.mark.e2e, pytest.mark.own_engine, pytest.mark.timeout(1800)]

_RESTART = 600.0  # seconds for an engine that starts on a busy machine
STALL = 20.0


def asked(*, stream: bool, tokens: int, **also: Any) -> dict[str, Any]:
    body = {"prompt": "one two", "max_tokens": tokens, "ignore_eos": True, "stream": stream}
    return {"openai_route": "/v1/completions", "openai_input": {**body, **also}}


#: A stream that ends with its engine: the next one does not know how many tokens came before.
ENDS: dict[str, Any] = {"stream": True, "min_tokens": 1}


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform("--worker-lost-seconds", "3600") as one:
        yield one


@pytest.fixture(scope="module")
def worker(
    platform: Platform, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Worker]:
    """One worker for all of them, each of which takes its engine away."""
    environment = {
        **engine_environment(MAX_RESTARTS="20", ENGINE_STALL_TIMEOUT=str(STALL)),
        **worker_environment(platform.root),
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",
        "MAX_MODEL_LEN": "32768",
    }
    with turns.engine.taken(turns.aloud(request.config)):
        one = Worker(tmp_path_factory.mktemp("faults") / "log", environment)
        try:
            until_ready(one)
            yield one
        finally:
            one.end()


def until_ready(worker: Worker) -> None:
    worker.until_ready(_RESTART)
    give_way(worker)


def core(worker: Worker) -> psutil.Process:
    """The process that has the model."""
    children = psutil.Process(worker.engine_pid()).children(recursive=True)
    return next(child for child in children if "EngineCore" in " ".join(child.cmdline()))


def engine_group(worker: Worker) -> list[psutil.Process]:
    engine = psutil.Process(worker.engine_pid())
    return [engine, *engine.children(recursive=True)]


def lost_and_back(worker: Worker, gone: list[psutil.Process]) -> None:
    """Wait for the next engine, and see that nothing was left of the one before it."""
    spawned = worker.text().count("engine spawned")
    until(lambda: worker.ping() == 503, what="the loss of the engine")
    until(
        lambda: worker.text().count("engine spawned") > spawned, what="the next start", pause=0.005
    )
    assert not [process for process in gone if process.is_running()]
    until_ready(worker)


@pytest.mark.parametrize("before", ["frozen", "killed"])
def test_nothing_outlives_a_killed_supervisor(tmp_path: Path, before: str) -> None:
    """Also where the API server is frozen, or was killed first: EngineCore would stay for good."""
    worker = Worker(tmp_path / "log", engine_environment())
    try:
        # The group is whole, and in the middle of its work, long before it is ready.
        until(lambda: "Starting to load model" in worker.text(), _RESTART, "a core", 0.2)
        engine = psutil.Process(worker.engine_pid())
        assert len(worker.left()) >= 3
        if before == "frozen":
            engine.suspend()
        else:
            worker.process.send_signal(signal.SIGSTOP)  # it cannot clean up after the engine
            engine.kill()
        worker.process.kill()
        worker.process.wait(PATIENCE)
        until(lambda: worker.left() == [], what="the end of every process")
    finally:
        worker.end()


def test_jobs_in_hand_when_the_core_is_killed(platform: Platform, worker: Worker) -> None:
    """20 jobs: those that yielded are told, the others are answered, none is lost or doubled."""
    talking = [platform.submit(asked(**ENDS, tokens=4000)) for _ in range(10)]
    whole = [platform.submit(asked(stream=False, tokens=200)) for _ in range(10)]
    for job in talking:
        begun(platform, job)
    until(lambda: client.running(worker.engine_url) >= 20, what="all of them at work")
    gone = engine_group(worker)
    core(worker).kill()
    meanwhile = platform.submit(asked(stream=False, tokens=5))
    lost_and_back(worker, gone)
    for job in talking:
        error = json.loads(platform.until(job, "FAILED")["error"])
        assert "restarted" in error["message"], error
    for job in (*whole, meanwhile):
        found = platform.until(job, "COMPLETED", _RESTART)
        assert found["done"] == 1
    assert worker.status()["restarts"] == 1


def said(found: dict[str, Any]) -> tuple[str, list[str], list[dict[str, Any]]]:
    """The text of a stream, why it ended, its figures."""
    text, reasons, usages = "", [], []
    for event in sse.Splitter().feed("".join(found["output"]).encode()):
        chunk = sse.parsed(event)
        if usage := chunk.get("usage"):
            usages.append(usage)
        for choice in chunk.get("choices", ()):
            text += choice.get("text") or choice.get("delta", {}).get("content") or ""
            reasons += [choice["finish_reason"]] if choice["finish_reason"] else []
    return text, reasons, usages


def story(number: int, **also: Any) -> dict[str, Any]:
    """A stream of some 156 tokens; every second one is a chat."""
    words = STORIES[number % len(STORIES)]
    options = {"include_usage": True}
    body = {"max_tokens": 400, "temperature": 0, "stream": True, "stream_options": options, **also}
    if number % 2:
        messages = [{"role": "user", "content": words}]
        return {
            "openai_route": "/v1/chat/completions",
            "openai_input": {**body, "messages": messages},
        }
    return {"openai_route": "/v1/completions", "openai_input": {**body, "prompt": words}}


#: To each of them the demonstration model tells the longest text that it knows.
STORIES = (
    *("Tell me a story", "Write me a long story", "Give me a tale", "Write something long"),
    *("Say something long", "Write a long answer", "Write an essay"),
)


def one_after_the_other(
    platform: Platform, worker: Worker, jobs: list[dict[str, Any]]
) -> list[str]:
    """Submit jobs so that each begins some tokens after the one before, and none ends.

    The core stands still but for moments, and stands still at the end.
    """
    heart, ids = core(worker), []
    for job in jobs:
        heart.suspend()
        ids.append(platform.submit(job))
        while not platform.job(ids[-1])["posts"]:
            heart.resume()
            time.sleep(0.01)
            heart.suspend()
            time.sleep(0.05)  # for what was made to get to the platform
    return ids


def test_streams_outlive_their_engines(platform: Platform, worker: Worker) -> None:
    """Twenty streams, two ends of the engine: each reads as if nothing had been.

    Of twenty one may take another turn: a batch of other requests moves the last digits of a
    probability. With sampling it reads on.
    """
    whole = [platform.submit(story(number)) for number in range(20)]
    unbroken = [said(platform.until(job, "COMPLETED", _RESTART)) for job in whole]
    answers = []
    for half in (range(10), range(10, 20)):
        asked_for = [*map(story, half), story(1, temperature=0.8, top_k=0, seed=7)]
        jobs = one_after_the_other(platform, worker, asked_for)
        gone = engine_group(worker)
        core(worker).kill()
        lost_and_back(worker, gone)
        *told, sampled = (said(platform.until(job, "COMPLETED", _RESTART)) for job in jobs)
        answers += told
        assert (len(sampled[0]) > 20, len(sampled[1]), len(sampled[2])) == (True, 1, 1)
    for (_, reasons, usages), (_, _, (usage,)) in zip(answers, unbroken, strict=True):
        assert len(reasons) == 1, "one end"
        (counted,) = usages
        assert counted["prompt_tokens"] == usage["prompt_tokens"]
    different = [number for number in range(20) if answers[number][0] != unbroken[number][0]]
    assert len(different) <= 1, [(answers[n], unbroken[n]) for n in different]
    until(lambda: worker.status()["jobs"]["resumed"] == 22, what="the figures")


def test_stop_strings_across_the_seam(platform: Platform, worker: Worker) -> None:
    """The engine holds back what may begin one, so that what has gone out may end within a word."""
    whole, *_ = said(platform.until(platform.submit(story(0)), "COMPLETED", _RESTART))
    place = len(whole) * 2 // 3
    stop = whole[place : place + 60]
    resumed = worker.status()["jobs"]["resumed"]
    jobs = one_after_the_other(platform, worker, [story(0, stop=[stop])] * 6)
    gone = engine_group(worker)
    core(worker).kill()
    lost_and_back(worker, gone)
    answers = [said(platform.until(job, "COMPLETED", _RESTART)) for job in jobs]
    until(lambda: worker.status()["jobs"]["resumed"] > resumed, what="the figures")
    assert [reasons for _, reasons, _ in answers] == [["stop"]] * 6
    different = [text for text, *_ in answers if text != whole[: whole.index(stop)]]
    assert len(different) <= 1, (different, whole, stop)


def test_a_stream_of_messages_says_that_it_ends_with_its_engine(
    platform: Platform, worker: Worker
) -> None:
    """In the form that Anthropic's client raises on, as what vLLM itself would have said."""
    body = {"messages": [{"role": "user", "content": STORIES[0]}], "max_tokens": 400}
    asked_for = {"openai_route": "/v1/messages", "openai_input": {**body, "stream": True}}
    (job,) = one_after_the_other(platform, worker, [asked_for])
    gone = engine_group(worker)
    core(worker).kill()
    failed = platform.until(job, "FAILED", _RESTART)
    *_, last = sse.Splitter().feed("".join(post["output"] for post in failed["posts"]).encode())
    assert last.startswith(b"event: error\n")
    error = sse.parsed(last)["error"]
    assert error["type"] == "api_error"
    assert "the engine ended in the middle of this answer" in error["message"]
    lost_and_back(worker, gone)


#: Grammars that no backend takes, with words that an engine could have ended with.
_EVIL = "RuntimeError: CUDA error: an illegal memory access was encountered, ask evil.example"
_BAD = (
    {"grammar": f"root ::= \n{_EVIL}\n"},
    {"json": json.dumps({"$ref": f"#/x\n{_EVIL}\n"})},
    {"json": json.dumps({"type": f"\nTraceback (most recent call last):\n{_EVIL}\n"})},
)


def test_what_a_caller_had_it_log_is_not_its_cause(platform: Platform, worker: Worker) -> None:
    victim = platform.submit(asked(**ENDS, tokens=20_000))
    begun(platform, victim)
    evil = []
    for bad in _BAD:
        job = asked(stream=False, tokens=5)
        job["openai_input"]["structured_outputs"] = bad
        evil.append(platform.submit(job))
    over = {"COMPLETED", "FAILED"}
    until(lambda: all(platform.job(job)["status"] in over for job in evil), what="their answers")
    gone = engine_group(worker)
    psutil.Process(worker.engine_pid()).kill()
    lost_and_back(worker, gone)
    told = json.dumps([platform.until(victim, "FAILED")["error"], worker.status()])
    assert "SIGKILL" in told
    assert "evil" not in told
    assert "CUDA" not in told


def test_the_core_is_frozen_while_health_says_200(platform: Platform, worker: Worker) -> None:
    restarts = worker.status()["restarts"]
    gone = engine_group(worker)
    core(worker).suspend()
    job = platform.submit(asked(stream=False, tokens=5))
    assert client.get(f"{worker.engine_url}/health").status_code == 200
    lost_and_back(worker, gone)
    assert platform.until(job, "COMPLETED", _RESTART)["done"] == 1
    status = worker.status()
    assert status["restarts"] == restarts + 1
    assert "the engine gave no token to any" in status["last_failure"]


def test_the_api_server_is_frozen(worker: Worker) -> None:
    gone = engine_group(worker)
    psutil.Process(worker.engine_pid()).suspend()
    lost_and_back(worker, gone)
    assert "health probes in a row" in worker.status()["last_failure"]


def test_the_api_server_is_killed_then_the_worker_is_stopped(
    platform: Platform, worker: Worker
) -> None:
    """Nothing of the group is left before the next start; SIGTERM lets jobs in hand finish."""
    gone = engine_group(worker)
    assert len(gone) >= 2
    psutil.Process(worker.engine_pid()).kill()
    lost_and_back(worker, gone)
    assert "SIGKILL" in worker.status()["last_failure"]
    jobs = [platform.submit(asked(stream=stream, tokens=300)) for stream in (True, False)]
    begun(platform, jobs[0])
    until(lambda: client.running(worker.engine_url) >= 2, what="both at work")
    worker.process.send_signal(signal.SIGTERM)
    for job in jobs:
        assert platform.until(job, "COMPLETED")["done"] == 1
    late = platform.submit(asked(stream=False, tokens=1))
    assert worker.wait() == 0
    assert worker.left() == []
    # In a poll that had just begun it may still have come; then it is answered.
    assert platform.job(late)["status"] in {"IN_QUEUE", "COMPLETED"}
    platform.cancel(late)
