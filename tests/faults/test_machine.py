"""A machine without a reader of its log, disk, descriptors or memory, or with a wild clock."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests import client
from tests.collector import Collector
from tests.conftest import Start
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import Worker, until


def test_a_flood_of_log_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "log", {"FAKE_VLLM": "log-flood"}, unread=True)
    try:
        worker.until_ready()
        engine = worker.status()["engine_pid"]
        process = psutil.Process(worker.process.pid)
        before, read = process.memory_info().rss, process.io_counters().read_chars
        until(lambda: process.io_counters().read_chars > read + 10e6, what="10 MB of log")
        assert worker.ping() == 200
        assert worker.status()["engine_pid"] == engine
        assert process.memory_info().rss - before < 50e6
        assert worker.stop() == 0
        assert worker.left() == []
    finally:
        worker.end()


def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    """Every write to the log fails."""
    (tmp_path / "log").symlink_to("/dev/full")
    worker = Worker(tmp_path / "log", {"FAKE_VLLM": "log=100"})
    try:
        until(lambda: worker.ping() == 200, what="readiness")
        psutil.Process(worker.status()["engine_pid"]).kill()
        until(lambda: worker.status()["restarts"] == 1, what="the restart")
        until(lambda: worker.ping() == 200, what="readiness again")
        assert worker.stop() == 0
        assert worker.left() == []
    finally:
        worker.end()


#: The wall clock, a day further ahead or behind at each look.
WILD_CLOCK = """
import itertools, time
true, turns = time.time, itertools.count()
def wild():
    turn = next(turns)
    return true() + 86400 * (-1) ** turn * turn
time.time = wild
"""


def probes(worker: Worker) -> int:
    """How often the worker has asked the engine for its health."""
    counts: dict[str, int] = client.get(f"{worker.engine_url}/fake").json()
    return counts["/health"]


def test_queue_mode_where_no_jobs_come_is_refused_before_the_spawn(start: Start) -> None:
    worker = start(WORKER_MODE="queue")
    assert worker.wait() == 78
    text = worker.text()
    assert "WORKER_MODE=queue, but RUNPOD_WEBHOOK_GET_JOB, from where jobs are taken," in text
    assert "engine spawned" not in text
    assert "Serverless Worker" not in text  # nobody is there to be told


def test_a_clock_that_jumps_changes_nothing(start: Start, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WILD_CLOCK)
    worker = start(PYTHONPATH=str(tmp_path), ENGINE_STALL_TIMEOUT="60", STARTUP_TIMEOUT="600")
    worker.until_ready()
    asked = probes(worker)
    until(lambda: probes(worker) > asked, what="a probe of the ready engine")
    status = worker.status()
    assert (status["state"], status["restarts"]) == ("READY", 0)
    psutil.Process(worker.engine_pid()).kill()
    until(lambda: worker.ping() == 503, what="the loss")
    until(lambda: worker.ping() == 200, what="the restart")
    assert worker.stop() == 0


def test_a_clock_that_jumps_loses_no_job(platform: Platform, serve: Start, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WILD_CLOCK)
    worker = serve(PYTHONPATH=str(tmp_path))
    given = {"model": "tiny", "prompt": "x", "stream": True, "fake": {"tokens": 20, "rate": 10}}
    asked = {"openai_route": "/v1/completions", "openai_input": given}
    for job in [platform.submit(asked) for _ in range(3)]:
        assert platform.until(job, "COMPLETED")["done"] == 1
    assert worker.stop() == 0


def test_without_descriptors_it_backs_off_and_recovers(start: Start) -> None:
    """A healthy engine is not killed for a probe that could not be made; a start waits."""
    worker = start(MAX_RESTARTS="20")
    worker.until_ready()
    engine = worker.engine_pid()
    process = psutil.Process(worker.process.pid)
    process.rlimit(resource.RLIMIT_NOFILE, (5, 4096))  # all below it are open
    warning = "no file descriptor left"
    until(lambda: worker.text().count(warning) >= 3, what="as many probes as a hung engine has")
    assert "ended" not in worker.text()
    psutil.Process(engine).kill()
    until(lambda: "Too many open files" in worker.text(), what="the sentence")
    until(lambda: worker.text().count("restarting the engine in") >= 2, what="the back-off")
    assert worker.process.poll() is None
    process.rlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    until(lambda: worker.ping() == 200, what="the recovery")
    assert worker.engine_pid() != engine
    assert "Traceback" not in worker.text()
    assert worker.stop() == 0


@pytest.fixture
def small_memory() -> Iterator[str]:
    """The folder of a control group with 200 MB of memory."""
    with control_group("memory", {"memory.limit_in_bytes", "memory.max"}) as (group, limit):
        limit.write_text("200000000")
        yield str(group)


@contextlib.contextmanager
def control_group(controller: str, limits: set[str]) -> Iterator[tuple[Path, Path]]:
    """The folder of a control group of its own, and the file of its limit, which has one of those
    names.
    """
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    old = [line.split(":")[2] for line in lines if controller in line.split(":")[1].split(",")]
    root = Path("/sys/fs/cgroup")
    parent = root / controller / old[0].lstrip("/") if old else root
    group = parent / f"vllm-supervisor-{uuid.uuid4().hex[:8]}"
    try:
        group.mkdir()
        (limit,) = [group / each for each in limits if (group / each).exists()]
    except (OSError, ValueError) as reason:
        if "CI" in os.environ:
            raise
        pytest.skip(f"no control group can be made here: {reason}")
    yield group, limit
    until(lambda: not (group / "cgroup.procs").read_text(), what="the end of the group")
    group.rmdir()


def test_an_engine_that_is_killed_for_memory_is_reported_as_that(
    small_memory: str, tmp_path: Path
) -> None:
    """By the kernel, not by a signal of ours: the control group counts it."""
    inside = f'echo $$ > {small_memory}/cgroup.procs; exec "$@"'
    worker = Worker(
        tmp_path / "log",
        {"FAKE_VLLM": "eat", "MAX_RESTARTS": "1"},
        before=["sh", "-c", inside, "sh"],
    )
    try:
        assert worker.wait() == 137
        text = worker.text()
        assert re.search(
            "giving up with exit code 137: the engine was killed because.*memory", text
        )
        assert text.count("engine spawned") == 2
        # What has no memory left ends late: it may wait for the kernel to take pages from it.
        until(lambda: worker.left() == [], what="the end of every process")
    finally:
        worker.end()


def test_want_of_processes_is_no_failure_of_the_engine(tmp_path: Path) -> None:
    """Neither forks nor threads are to be had; more starts fail than MAX_RESTARTS allows."""
    with control_group("pids", {"pids.max"}) as (group, limit):
        inside = f'echo $$ > {group}/cgroup.procs; exec "$@"'
        worker = Worker(tmp_path / "log", {"MAX_RESTARTS": "2"}, before=["sh", "-c", inside, "sh"])
        try:
            worker.until_ready()
            limit.write_text("1")
            psutil.Process(worker.engine_pid()).kill()
            failed = "(no failure of its own): "
            until(lambda: worker.text().count(failed) >= 3, what="more tries than are allowed")
            said = "could not be started: no more processes and threads are allowed here; raise"
            assert said in worker.text()
            assert worker.ping() == 503
            limit.write_text("max")
            until(lambda: worker.ping() == 200, what="the recovery")
            assert worker.status()["restarts"] == 1, "of the engine that was killed"
            limit.write_text("1")
            psutil.Process(worker.engine_pid()).kill()
            until(lambda: worker.text().count(failed) >= 4, what="another want")
            assert worker.stop() == 0
            assert "Traceback" not in worker.text()
        finally:
            limit.write_text("max")
            worker.end()


def test_want_of_threads_costs_metrics_their_export_and_nothing_else(tmp_path: Path) -> None:
    with (
        Collector() as collector,
        control_group("pids", {"pids.max"}) as (group, limit),
    ):
        inside = f'echo $$ > {group}/cgroup.procs; exec "$@"'
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_METRIC_EXPORT_INTERVAL": "100",
        }
        worker = Worker(tmp_path / "log", environment, before=["sh", "-c", inside, "sh"])
        try:
            worker.until_ready()
            until(collector.metrics, what="metrics")
            limit.write_text("1")
            lost = f"until {collector.url}/v1/metrics takes them: no more threads are allowed here"
            until(lambda: lost in worker.text(), what="the line about it")
            assert worker.ping() == 200
            limit.write_text("max")
            until(lambda: "takes the metrics again" in worker.text(), what="the recovery")
            limit.write_text("1")
            assert worker.stop() == 0
            assert "Traceback" not in worker.text()
        finally:
            limit.write_text("max")
            worker.end()


def test_want_of_processes_that_lasts_ends_the_worker(tmp_path: Path) -> None:
    with control_group("pids", {"pids.max"}) as (group, limit):
        inside = f'echo $$ > {group}/cgroup.procs; exec "$@"'
        environment = {"STARTUP_TIMEOUT": "10", "WORKER_MODE": "plain"}
        worker = Worker(tmp_path / "log", environment, before=["sh", "-c", inside, "sh"])
        try:
            worker.until_ready()
            limit.write_text("1")
            psutil.Process(worker.engine_pid()).kill()
            assert worker.wait() == 71
            assert re.search(
                "giving up with exit code 71: .* allowed here.*for 10 s", worker.text()
            )
            assert "Traceback" not in worker.text()
            assert worker.left() == []
        finally:
            limit.write_text("max")
            worker.end()


def test_want_of_processes_that_lasts_keeps_the_exit_code_of_a_queue_worker(
    platform: Platform, tmp_path: Path
) -> None:
    """The platform cannot be told of it either, for that takes a process of its own."""
    with control_group("pids", {"pids.max"}) as (group, limit):
        inside = f'echo $$ > {group}/cgroup.procs; exec "$@"'
        environment = {**worker_environment(platform.root), "STARTUP_TIMEOUT": "10"}
        worker = Worker(tmp_path / "log", environment, before=["sh", "-c", inside, "sh"])
        try:
            worker.until_ready()
            platform.until(platform.submit({"prompt": "x"}), "COMPLETED")
            limit.write_text("1")
            psutil.Process(worker.engine_pid()).kill()
            assert worker.wait() == 71
            assert "giving up with exit code 71: " in worker.text()
            assert "the platform does not hear that this worker is unhealthy: " in worker.text()
            assert "Traceback" not in worker.text()
        finally:
            limit.write_text("max")
            worker.end()


def test_nothing_outlives_a_worker_whose_children_are_frozen(start: Start) -> None:
    worker = start(FAKE_VLLM="orphan")
    worker.until_ready()
    psutil.Process(worker.engine_pid()).suspend()
    worker.process.kill()
    worker.wait()
    until(lambda: worker.left() == [], what="the end of the engine")


def test_nothing_outlives_a_worker_in_queue_mode(serve: Start) -> None:
    """Neither the proxy nor the process that it has for its pings."""
    worker = serve(FAKE_VLLM="orphan")
    proxies = [p for p in worker.left() if p.cmdline()[1:] == ["-m", "proxy"]]
    assert proxies
    worker.process.kill()
    worker.wait()
    until(lambda: worker.left() == [], what="the end of all of them")


def test_status_says_it_to_persons_and_to_programs(start: Start, tmp_path: Path) -> None:
    import json

    worker = start(FAKE_VLLM=f"wait-for={tmp_path}/go")

    def status(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "supervisor", "status", *arguments],
            env=worker.env,
            capture_output=True,
            text=True,
            timeout=client.PATIENCE,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    until(worker.ping)
    assert status()[0] == 3
    (tmp_path / "go").touch()
    code, text = status("--wait", "ready")
    assert code == 0
    assert "READY" in text
    assert "restarts" in text
    assert "imports" in text
    code, text = status("--json")
    assert (code, json.loads(text)["state"]) == (0, "READY")
    assert status("--wait", "nonsense")[0] == 2
    client.get(worker.engine_url + "/health")
    assert worker.stop() == 0
    code, text = status()
    assert code == 1
    assert "no worker answers" in text


def test_status_of_another_program(start: Start) -> None:
    """Such as an engine, which answers with JSON of its own."""
    worker = start()
    worker.until_ready()
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", "status"],
        env={**worker.env, "PORT_HEALTH": str(worker.engine_port), "VLLM_PORT": "1"},
        capture_output=True,
        text=True,
        timeout=client.PATIENCE,
    )
    assert done.returncode == 1
    assert "no worker answers" in done.stderr
    assert "Traceback" not in done.stderr
