"""Jobs in hand while the engine, the proxy, a connection or the platform fails."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import client
from tests.conftest import Start
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.faults.test_engine import BOOM
from tests.processes import FAKE_VLLM, Worker, until


def asked(user: str, *, stream: bool = True, **fake: Any) -> dict[str, Any]:
    """A stream that ends with its engine, by `min_tokens`; `test_resume` has those that go on."""
    body = {"model": "tiny", "prompt": "x", "stream": stream, "user": user, "fake": fake}
    body["min_tokens"] = 1
    return {"openai_route": "/v1/completions", "openai_input": body}


#: A job that goes on for as long as any of these tests.
TALK: dict[str, Any] = {"tokens": 5000, "rate": 5}


def begun(platform: Platform, job: str) -> None:
    until(lambda: platform.job(job)["posts"], what="the first batch")


def proxy_of(worker: Worker) -> psutil.Process:
    """The proxy itself, not the SDK's process for pings."""
    found = [p for p in worker.left() if p.cmdline()[1:] == ["-m", "proxy"]]
    children = {child.pid for p in found for child in p.children()}
    return next(p for p in found if p.pid not in children)


def test_jobs_in_hand_across_a_restart(platform: Platform, serve: Start, tmp_path: Path) -> None:
    """What had yielded nothing is answered, the rest says why; none hangs, is lost or doubled."""
    worker = serve()
    go = tmp_path / "go"
    wait: dict[str, Any] = {"tokens": 3, "wait_for": str(go)}
    talking = [platform.submit(asked(f"t{n}", **TALK)) for n in range(8)]
    silent = [platform.submit(asked(f"s{n}", **wait)) for n in range(6)]
    whole = [platform.submit(asked(f"w{n}", stream=False, **wait)) for n in range(6)]
    for job in talking:
        begun(platform, job)
    until(lambda: client.running(worker.engine_url) == 20, what="all jobs at work")
    psutil.Process(worker.engine_pid()).kill()
    meanwhile = platform.submit(asked("m", tokens=2))
    go.touch()
    for job in talking:
        failed = platform.until(job, "FAILED")
        error = json.loads(failed["error"])
        assert "restarted" in error["message"]
        assert "SIGKILL" in error["message"], "the cause"
        assert error["code"] == 502
    for job in (*silent, *whole, meanwhile):
        assert platform.until(job, "COMPLETED")["done"] == 1
    status = worker.status()
    assert status["restarts"] == 1
    assert "SIGKILL" in status["last_failure"]
    until(lambda: worker.status()["jobs"]["answered"] == 13, what="the report of the last job")
    jobs = worker.status()["jobs"]
    assert (jobs["taken"], jobs["failed"], jobs["answered"]) == (21, 8, 13)
    assert jobs["resent"] in {12, 13}, "and perhaps what came just then"
    times = Counter((tmp_path / "done").read_text().split())
    expected = {f"s{n}" for n in range(6)} | {f"w{n}" for n in range(6)} | {"m"}
    assert times == dict.fromkeys(expected, 1), "each is run to its end once"


def test_the_wait_for_an_engine_is_bounded_and_the_error_has_the_cause(
    platform: Platform, serve: Start, tmp_path: Path
) -> None:
    command = tmp_path / "vllm"
    shutil.copytree(FAKE_VLLM, command)
    worker = serve(
        VLLM_COMMAND=f"{sys.executable} {command}", ENGINE_WAIT_TIMEOUT="3", MAX_RESTARTS="50"
    )
    job = platform.submit(asked("a", hang_after=0))
    until(lambda: client.running(worker.engine_url) == 1, what="the job at work")
    shutil.rmtree(command)
    psutil.Process(worker.engine_pid()).kill()
    meanwhile = platform.submit(asked("b", tokens=3))
    for one in (job, meanwhile):
        error = json.loads(platform.until(one, "FAILED")["error"])
        assert error["code"] == 503
        assert "no engine was ready within 3 s; the engine is being restarted: " in error["message"]
        assert "the engine ended with code 2" in error["message"]
    assert worker.ping() == 503


def test_a_worker_that_gives_up_says_why_to_its_jobs_and_to_the_platform(
    platform: Platform, serve: Start
) -> None:
    worker = serve(FAKE_VLLM_LINES=BOOM, MAX_RESTARTS="0")
    job = platform.submit(asked("a", hang_after=0))
    until(lambda: client.running(worker.engine_url) == 1, what="the job at work")
    assert client.post(f"{worker.engine_url}/fake", content="exit-after=0").status_code == 200
    error = json.loads(platform.until(job, "FAILED")["error"])
    assert "given up" in error["message"]
    assert "its last error was of the class RuntimeError" in error["message"]
    assert worker.wait() == 70
    assert "RuntimeError: boom 7" in worker.text()
    reported = platform.workers()["worker-1"]["unhealthy"][-1]
    assert reported["check"] == "engine"
    assert "of the class RuntimeError" in reported["reason"]
    assert "boom 7" not in json.dumps([error, reported])
    assert worker.left() == []


def test_a_start_that_fails_is_reported_with_its_cause(platform: Platform, start: Start) -> None:
    """By the SDK's own way; the worker's exit code is that of the cause."""
    worker = start(
        **worker_environment(platform.root, worker_id="unfit-1"),
        FAKE_VLLM="exit=2",
        FAKE_VLLM_LINES="vllm serve: error: argument --max-model-len: invalid value: 'x'",
        MAX_MODEL_LEN="9",
    )
    assert worker.wait() == 78
    reported = platform.workers()["unfit-1"]["unhealthy"]
    assert [one["check"] for one in reported] == ["engine"]
    assert "the value of --max-model-len" in reported[0]["reason"]
    assert "invalid value" not in reported[0]["reason"]
    assert "argument --max-model-len: invalid value: 'x'" in worker.text()
    assert "Traceback" not in worker.text()


def test_a_machine_that_is_not_fit_is_reported_while_the_engine_starts(
    platform: Platform, start: Start
) -> None:
    worker = start(
        **worker_environment(platform.root, worker_id="unfit-2"),
        FAKE_VLLM="hang-start",
        RUNPOD_MIN_MEMORY_GB="100000",
    )
    assert worker.wait() == 1
    (reported,) = platform.workers()["unfit-2"]["unhealthy"]
    assert reported["check"] == "memory"
    assert "100000" in reported["reason"]
    assert re.search("giving up with exit code 1: .* of memory is free", worker.text())


def test_a_gpu_whose_driver_does_not_answer_is_reported(
    platform: Platform, start: Start, tmp_path: Path
) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text(
        "#!/bin/sh\necho 'Unable to determine the device handle: GPU is lost.'\nexit 15"
    )
    command.chmod(0o755)
    worker = start(
        **worker_environment(platform.root, worker_id="unfit-3"),
        FAKE_VLLM="hang-start",
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        NVIDIA_VISIBLE_DEVICES="all",
    )
    assert worker.wait() == 1
    (reported,) = platform.workers()["unfit-3"]["unhealthy"]
    assert (reported["check"], "GPU is lost" in reported["reason"]) == ("gpu", True)


@pytest.mark.parametrize(
    ("killers", "others", "stream"),
    [(1, 19, True), (3, 17, False), (6, 14, True), (3, 297, True)],
)
def test_jobs_that_end_the_engine_are_found_and_cost_nobody_else_an_answer(
    platform: Platform, serve: Start, tmp_path: Path, killers: int, others: int, stream: bool
) -> None:
    """They end it again and again; MAX_RESTARTS is the default.

    The others have one token: a suspect that has given output is beside the next suspect, which may
    end the engine in the middle of its answer.
    """
    worker = serve(MAX_CONCURRENCY="400", FAKE_VLLM_LINES=BOOM)
    kill, calm = tmp_path / "kill", tmp_path / "calm"
    innocent = [
        platform.submit(asked(f"i{n}", stream=stream, tokens=1, wait_for=str(calm)))
        for n in range(others)
    ]
    bad = [
        platform.submit(asked(f"k{n}", stream=stream, kill=True, wait_for=str(kill)))
        for n in range(killers)
    ]
    until(lambda: client.running(worker.engine_url) == killers + others, what="all at work")
    kill.touch()
    until(lambda: worker.status()["restarts"] >= 2, what="two ends of the engine")
    late = platform.submit(asked("late", tokens=3))
    calm.touch()
    for job in (*innocent, late):
        found = platform.until(job, "COMPLETED", 300)
        assert (found["done"], json.dumps(found["output"]).count(" w0")) == (1, 1)
    for job in bad:
        error = json.loads(platform.until(job, "FAILED", 300)["error"])
        assert "this job was alone in the engine when it ended" in error["message"]
        assert "of the class RuntimeError" in error["message"]
    assert worker.process.poll() is None, worker.text()
    until(lambda: worker.ping() == 200, what="the last restart")
    until(lambda: worker.status()["jobs"]["answered"] == others + 1, what="the figures")
    assert worker.status()["jobs"]["failed"] == killers


@pytest.mark.parametrize(("inside", "health"), [(400, 500), (500, 503)], ids=["0.10", "0.32"])
def test_an_engine_whose_core_dies_is_lost_whatever_it_answers(
    platform: Platform, serve: Start, tmp_path: Path, inside: int, health: int
) -> None:
    """Its API server goes on and says that the requests were wrong, up to vLLM 0.13."""
    worker = serve()
    go = tmp_path / "go"
    talking = platform.submit(asked("t", **TALK))
    silent = [platform.submit(asked(f"s{n}", tokens=3, wait_for=str(go))) for n in range(2)]
    whole = platform.submit(asked("w", stream=False, tokens=3, wait_for=str(go)))
    begun(platform, talking)
    until(lambda: client.running(worker.engine_url) == 4, what="all at work")
    words = f"core-died={inside} health={health} exit-after=1"
    assert client.post(f"{worker.engine_url}/fake", content=words).status_code == 200
    error = json.loads(platform.until(talking, "FAILED")["error"])
    assert (error["code"], "restarted" in error["message"]) == (502, True)
    assert "EngineCore" not in "".join(p["output"] for p in platform.job(talking)["posts"])
    go.touch()
    for job in (*silent, whole):
        assert platform.until(job, "COMPLETED")["done"] == 1
    until(lambda: worker.status()["jobs"]["answered"] == 3, what="the figures")
    jobs = worker.status()["jobs"]
    assert (jobs["failed"], jobs["refused"], jobs["engine_errors"] >= 4) == (1, 0, True)


@pytest.mark.parametrize("stream", [True, False])
def test_a_connection_cut_before_the_first_token_is_made_again_once(
    platform: Platform, serve: Start, stream: bool
) -> None:
    """The stand-in cuts each time: two tries, no third."""
    worker = serve()
    job = platform.submit(asked("a", stream=stream, tokens=3, cut_after=0))
    assert json.loads(platform.until(job, "FAILED")["error"])["code"] == 502
    until(lambda: worker.status()["jobs"]["failed"] == 1, what="the figures")
    assert worker.status()["jobs"]["resent"] == 1
    assert worker.status()["restarts"] == 0


def test_a_connection_cut_after_the_first_token_is_never_made_again(
    platform: Platform, serve: Start, tmp_path: Path
) -> None:
    worker = serve()
    job = platform.submit(asked("a", tokens=30, cut_after=10, cut_when=str(tmp_path / "go")))

    def told() -> int:
        return "".join(post["output"] for post in platform.job(job)["posts"]).count('"text"')

    until(lambda: told() == 10, what="the tokens before the cut")
    (tmp_path / "go").touch()
    found = platform.until(job, "FAILED")
    assert json.loads(found["error"])["code"] == 502
    assert told() == 10
    until(lambda: worker.status()["jobs"]["failed"] == 1, what="the figures")
    assert worker.status()["jobs"]["resent"] == 0


def test_a_proxy_that_is_killed_leaves_its_jobs_to_the_next(
    platform: Platform, serve: Start, tmp_path: Path
) -> None:
    worker = serve()
    engine = worker.engine_pid()
    go = tmp_path / "go"
    talking = [platform.submit(asked(f"t{n}", **TALK)) for n in range(3)]
    silent = [platform.submit(asked(f"s{n}", tokens=3, wait_for=str(go))) for n in range(3)]
    for job in talking:
        begun(platform, job)
    until(lambda: client.running(worker.engine_url) == 6, what="all at work")
    proxy_of(worker).kill()
    go.touch()
    for job in silent:
        assert platform.until(job, "COMPLETED")["done"] == 1
    for job in talking:
        error = json.loads(platform.until(job, "FAILED")["error"])
        assert "proxy ended in the middle" in error["message"]
    assert platform.until(platform.submit(asked("n", tokens=2)), "COMPLETED")["done"] == 1
    assert worker.engine_pid() == engine
    assert worker.status()["restarts"] == 0


def test_errors_of_the_engine_are_counted_and_not_fatal(platform: Platform, serve: Start) -> None:
    worker = serve()
    for number in range(4):
        status = 500 if number % 2 else 400
        job = platform.submit(asked("a", stream=number < 2, status=status))
        assert json.loads(platform.until(job, "FAILED")["error"])["code"] == status
    until(lambda: worker.status()["jobs"]["failed"] == 4, what="the figures")
    jobs = worker.status()["jobs"]
    assert (jobs["refused"], jobs["engine_errors"], jobs["resent"]) == (2, 2, 0)
    assert worker.status()["restarts"] == 0
    metrics = client.get(f"http://127.0.0.1:{worker.control_port}/metrics").text
    assert "vllm_supervisor_jobs_refused_total 2" in metrics
    assert "vllm_supervisor_engine_errors_total 2" in metrics


def test_a_platform_that_refuses_is_not_asked_without_a_pause(
    platform: Platform, serve: Start
) -> None:
    worker = serve()
    platform.fault(path="job-take", status=503, times=1000)

    def refused() -> list[float]:
        takes = [call for call in platform.log() if call["kind"].startswith("job-take")]
        return [call["time"] for call in takes if call["status"] == 503]

    before = len(refused())
    until(lambda: len(refused()) >= before + 6, what="six refusals")
    polls = refused()[before:]
    assert polls[5] - polls[0] > 0.5  # ten a second would be many; without a pause it is hundreds
    assert worker.ping() == 200
    platform.no_faults()
    assert platform.until(platform.submit(asked("a", tokens=2)), "COMPLETED")["done"] == 1


def test_a_drain_that_takes_too_long_ends_its_jobs_with_an_error(
    platform: Platform, serve: Start
) -> None:
    worker = serve(DRAIN_TIMEOUT="1")
    talking = platform.submit(asked("t", **TALK))
    begun(platform, talking)
    assert worker.stop() == 0
    error = json.loads(platform.until(talking, "FAILED")["error"])
    assert "worker was stopped" in error["message"]
    assert worker.left() == []


def test_a_stop_while_jobs_wait_leaves_them_to_the_next_worker(
    platform: Platform, serve: Start
) -> None:
    """Each is answered or still in the queue: a poll that is being answered is not cut."""
    worker = serve(MAX_CONCURRENCY="20")
    platform.fault(path="job-take", delay_ms=300, times=1000)
    polls = platform.count("job-take")
    jobs = [platform.submit(asked("q", tokens=20, rate=20)) for _ in range(150)]
    until(lambda: platform.count("job-take") > polls + 2, what="a poll among others")
    assert worker.stop() == 0
    states = Counter(platform.job(job)["status"] for job in jobs)
    assert set(states) == {"COMPLETED", "IN_QUEUE"}, states
    for job in jobs:
        platform.cancel(job)


def test_a_second_signal_ends_jobs_with_an_error(platform: Platform, serve: Start) -> None:
    worker = serve()
    talking = platform.submit(asked("t", **TALK))
    begun(platform, talking)
    worker.process.send_signal(signal.SIGTERM)
    until(lambda: worker.ping() == 503, what="the drain")
    assert worker.stop() == 0
    error = json.loads(platform.until(talking, "FAILED")["error"])
    assert error["code"] in {502, 503}
    assert worker.left() == []


@pytest.mark.slow
def test_a_slow_platform_costs_no_memory(platform: Platform, serve: Start) -> None:
    """Three streams have 600 MB to give, and the platform takes 0.5 s for 0.5 MB of each.

    A proxy that reads on meanwhile has all of it by the end.
    """
    worker = serve()
    platform.until(platform.submit(asked("first", tokens=2)), "COMPLETED")
    proxy = proxy_of(worker)
    before, taken = proxy.memory_info().rss / 1e6, platform.count("job-stream")
    platform.fault(path="job-stream", delay_ms=500, times=100_000)
    jobs = [platform.submit(asked(f"a{n}", tokens=4000, wide=50_000)) for n in range(3)]
    until(lambda: platform.count("job-stream") >= taken + 30, what="30 outputs")
    grown = proxy.memory_info().rss / 1e6 - before
    assert client.running(worker.engine_url) == 3, "they would have ended, had they been read"
    assert grown < 200, "15 MB were taken; the rest is what was read together from the sockets"
    for job in jobs:
        platform.cancel(job)


# --- jobs of a proxy that is gone, and nobody is to come after it ---


def without_a_proxy(worker: Worker) -> None:
    """Kill the proxy; return between its two lives."""
    proxy_of(worker).kill()
    ended = r"restarting the proxy|the proxy ended"  # the latter where the worker is ending, too
    until(lambda: re.search(ended, worker.text()), what="the end of the proxy")


def at_work(platform: Platform, worker: Worker, go: Path) -> tuple[str, str]:
    """A job that has yielded and one that has not, and does not before there is the file `go`."""
    talking = platform.submit(asked("t", **TALK))
    silent = platform.submit(asked("s", tokens=3, wait_for=str(go)))
    begun(platform, talking)
    until(lambda: client.running(worker.engine_url) == 2, what="both at work")
    return talking, silent


def test_a_stop_between_two_lives_of_an_idle_proxy(platform: Platform, serve: Start) -> None:
    worker = serve(DRAIN_TIMEOUT="600")
    platform.until(platform.submit(asked("a", tokens=2)), "COMPLETED")
    without_a_proxy(worker)
    assert worker.stop() == 0
    assert worker.left() == []


def test_a_stop_between_two_lives_of_the_proxy_answers_its_jobs(
    platform: Platform, serve: Start, tmp_path: Path
) -> None:
    worker = serve()
    talking, silent = at_work(platform, worker, tmp_path / "go")
    without_a_proxy(worker)
    (tmp_path / "go").touch()
    assert worker.stop() == 0
    assert platform.job(silent)["status"] == "COMPLETED"
    assert "middle of this answer" in json.loads(platform.job(talking)["error"])["message"]
    assert worker.left() == []


def test_a_proxy_that_dies_while_it_drains_leaves_its_jobs_to_the_next(
    platform: Platform, serve: Start, tmp_path: Path
) -> None:
    worker = serve()
    talking, silent = at_work(platform, worker, tmp_path / "go")
    worker.process.send_signal(signal.SIGTERM)
    until(lambda: worker.ping() == 503, what="the drain")
    without_a_proxy(worker)
    (tmp_path / "go").touch()
    assert worker.wait() == 0
    assert platform.job(silent)["status"] == "COMPLETED"
    assert "middle of this answer" in json.loads(platform.job(talking)["error"])["message"]
    assert worker.left() == []


@pytest.mark.parametrize("signals", [1, 2])
def test_a_stop_without_proxy_and_engine_tells_each_job(
    platform: Platform, serve: Start, tmp_path: Path, signals: int
) -> None:
    worker = serve()
    jobs = at_work(platform, worker, tmp_path / "never")
    engine = psutil.Process(worker.engine_pid())
    without_a_proxy(worker)
    engine.kill()
    until(lambda: worker.ping() == 503, what="the loss")
    platform.fault(path="job-done", delay_ms=300, times=1000)  # told, and perhaps cut off
    for number in range(signals):
        worker.process.send_signal(signal.SIGTERM)
        until(lambda: worker.text().count("SIGTERM received") > number, what="its arrival")  # noqa: B023
    assert worker.wait() == 0
    for job in jobs:
        found = platform.job(job)
        assert found["status"] == "FAILED"
        assert json.loads(found["error"])["code"] in {502, 503}
    assert worker.left() == []


def test_a_worker_that_gives_up_without_a_proxy_tells_each_job_and_the_platform(
    platform: Platform, serve: Start, tmp_path: Path
) -> None:
    worker = serve(MAX_RESTARTS="1")
    psutil.Process(worker.engine_pid()).kill()
    until(lambda: worker.status()["restarts"] == 1, what="the restart")
    worker.until_ready()
    jobs = at_work(platform, worker, tmp_path / "never")
    engine = psutil.Process(worker.engine_pid())
    without_a_proxy(worker)
    engine.kill()
    assert worker.wait() == 70
    messages = [json.loads(platform.job(job)["error"])["message"] for job in jobs]
    assert "middle of this answer" in messages[0]
    assert "SIGKILL" in messages[1]
    assert "SIGKILL" in platform.workers()["worker-1"]["unhealthy"][-1]["reason"]
    assert worker.left() == []


def test_a_proxy_that_ends_by_a_fault_of_its_own_is_started_again(
    platform: Platform, serve: Start, tmp_path: Path
) -> None:
    """With the code with which the SDK ends it where the machine is not fit."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if sys.orig_argv[1:] == ['-m', 'proxy']:\n"
        "    try:\n"
        f"        os.mkdir({str(tmp_path / 'once')!r})\n"
        "        os._exit(1)\n"
        "    except FileExistsError:\n"
        "        pass\n"
    )
    worker = serve(PYTHONPATH=str(tmp_path))
    assert platform.until(platform.submit(asked("a", tokens=2)), "COMPLETED")["done"] == 1
    assert "it ended with code 1 and" in worker.text()
    assert worker.status()["restarts"] == 0


def test_with_a_token_the_proxy_shows_it_and_nobody_else_sees_it(
    platform: Platform, serve: Start
) -> None:
    token = "control-token-of-a-test"
    worker = serve(CONTROL_TOKEN=token)
    url = f"http://127.0.0.1:{worker.control_port}/status"
    assert client.get(url).status_code == 401
    shown = client.get(url, headers={"Authorization": f"Bearer {token}"})
    assert shown.json()["state"] == "READY"
    asked = {"openai_route": "/v1/completions", "openai_input": {"model": "tiny", "prompt": "x"}}
    platform.until(platform.submit(asked), "COMPLETED")
    assert token not in psutil.Process(worker.engine_pid()).environ().values()
    assert worker.stop() == 0
    assert token not in worker.text()
