"""The worker as processes: a real supervisor, real signals, a stand-in engine that misbehaves."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from tests import client
from tests.client import PATIENCE
from tests.conftest import Start
from tests.processes import FAKE, ROOT, Worker, until

REFUSED = "vllm serve: error: argument --max-model-len: invalid value: 'x'"


#: Writes down, at each spawn of a process, what it spawns and which packages are loaded by then.
AT_EACH_SPAWN = """
import sys
def hook(event, arguments):
    if event == "subprocess.Popen":
        packages = {name.partition(".")[0] for name in list(sys.modules)}
        with open(PATH, "a") as file:
            print(" ".join(map(str, arguments[1])), *sorted(packages), sep="|", file=file)
sys.addaudithook(hook)
"""


def test_little_is_imported_before_the_spawn(start: Start, tmp_path: Path) -> None:
    """What the probes, the control port and the proxy need comes while the engine loads."""
    spawns = tmp_path / "spawns"
    hook = AT_EACH_SPAWN.replace("PATH", repr(str(spawns)))
    (tmp_path / "sitecustomize.py").write_text(hook)
    worker = start(PYTHONPATH=str(tmp_path))
    worker.until_ready()
    (at_spawn,) = [line for line in spawns.read_text().splitlines() if " serve tiny " in line]
    loaded = set(at_spawn.split("|")[1:])
    assert "supervisor" in loaded
    assert not loaded & {"httpx", "aiohttp", "pydantic", "psutil", "tenacity", "runpod", "h11"}
    assert not loaded & {"argparse", "asyncio", "hashlib", "shutil", "ssl", "tempfile"}
    assert not loaded & {"dataclasses", "inspect"}, "see `records`"


def test_no_secret_leaves_the_environment(start: Start) -> None:
    """Not on a command line, in the log, in /status, in /metrics; the engine has it."""
    secret = "sk-Zq81mVbT0pLsWc"
    worker = start(
        HF_TOKEN=secret,
        VLLM_EXTRA_ARGS=f"--api-key {secret}",
        RUNPOD_AI_API_KEY=secret,
        PYTHONPATH="/nowhere",
        FAKE_VLLM="",
    )
    worker.until_ready()
    control = f"http://127.0.0.1:{worker.control_port}"
    answers = [client.get(f"{control}/{path}").text for path in ("status", "metrics")]
    lines = [" ".join(process.cmdline()) for process in worker.left()]
    assert len(lines) >= 2
    assert not [text for text in (*answers, *lines, worker.text()) if secret in text]
    engine = psutil.Process(worker.engine_pid()).environ()
    assert engine["VLLM_API_KEY"] == engine["HF_TOKEN"] == secret
    assert engine["PYTHONPATH"] == f"{ROOT / 'gate'}:/nowhere"
    worker_own = {"RUNPOD_AI_API_KEY", "VLLM_PORT", "MODEL_NAME", "ENGINE_CATALOG"}
    assert not worker_own & set(engine)


def no_traceback(worker: Worker) -> str:
    text = worker.text()
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serves_and_stops_in_order(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    worker = start(FAKE_VLLM=f"start=0.5 wait-for={tmp_path / 'go'}")
    assert until(worker.ping) == 204
    (tmp_path / "go").touch()
    worker.until_ready()
    status = worker.status()
    assert status["state"] == "READY"
    assert status["mode"] == "plain"
    assert status["restarts"] == 0
    assert status["phases"]["engine_start"] > 0.4
    models = client.get(f"{worker.engine_url}/v1/models").json()
    assert models["data"][0]["id"] == "tiny"
    until(lambda: "try: curl" in worker.text(), what="the line to try")
    assert worker.stop(number) == 0
    assert worker.left() == []
    text = no_traceback(worker)
    assert "ready after" in text
    assert f"curl http://localhost:{worker.engine_port}/v1/chat/completions" in text


def test_status_waits_for_a_state(start: Start) -> None:
    worker = start(FAKE_VLLM="start=0.5")
    until(worker.ping)
    url = f"http://127.0.0.1:{worker.control_port}/status"
    got = client.get(url, params={"wait": "ready", "timeout": str(PATIENCE)})
    assert (got.status_code, got.json()["state"]) == (200, "READY")
    late = client.get(url, params={"wait": "failed", "timeout": "0.05"})
    assert late.status_code == 408
    assert client.get(url, params={"wait": "nonsense"}).status_code == 400
    metrics = client.get(url.replace("status", "metrics")).text
    assert "vllm_supervisor_ready 1" in metrics


def test_what_the_engine_prints_is_in_the_log_unchanged(start: Start) -> None:
    worker = start(
        FAKE_VLLM="exit=3", FAKE_VLLM_LINES="one\n  two\tthree \x1b[1mé", MAX_RESTARTS="0"
    )
    assert worker.wait() == 70
    assert "one\n  two\tthree \x1b[1mé" in worker.text()


def test_a_crash_is_followed_by_a_restart(start: Start) -> None:
    worker = start()
    worker.until_ready()
    first = worker.engine_pid()
    psutil.Process(first).kill()
    until(lambda: worker.ping() == 503, what="the loss of the engine")
    until(lambda: worker.ping() == 200, what="the restart")
    status = worker.status()
    assert status["restarts"] == 1
    assert "SIGKILL" in status["last_failure"]
    assert worker.engine_pid() != first
    assert worker.stop() == 0


def test_a_configuration_error_is_not_tried_again(start: Start) -> None:
    worker = start(FAKE_VLLM="exit=2", FAKE_VLLM_LINES=REFUSED)
    assert worker.wait() == 78
    text = no_traceback(worker)
    assert text.count("engine spawned") == 1
    assert "(it said: argument --max-model-len" in text


def test_gives_up_with_a_reason(start: Start) -> None:
    worker = start(FAKE_VLLM="exit=9", FAKE_VLLM_LINES="RuntimeError: boom", MAX_RESTARTS="1")
    assert worker.wait() == 70
    text = no_traceback(worker)
    assert text.count("engine spawned") == 2
    assert "giving up with exit code 70" in text
    assert "RuntimeError: boom" in text


def test_a_start_that_hangs_ends_in_time(start: Start) -> None:
    worker = start(FAKE_VLLM="hang-start", STARTUP_TIMEOUT="1", MAX_RESTARTS="0")
    assert worker.wait() == 71
    assert "the engine was not ready after 1 s" in no_traceback(worker)


def test_a_missing_command(start: Start) -> None:
    worker = start(VLLM_COMMAND="/nowhere/vllm")
    assert worker.wait() == 127
    assert "'/nowhere/vllm' was not found" in no_traceback(worker)


def test_a_command_that_may_not_be_run(start: Start, tmp_path: Path) -> None:
    (tmp_path / "vllm").write_text("#!/bin/sh\n")
    worker = start(VLLM_COMMAND=str(tmp_path / "vllm"))
    assert worker.wait() == 126
    assert "is not executable" in no_traceback(worker)


def test_a_command_whose_interpreter_is_missing(start: Start, tmp_path: Path) -> None:
    (tmp_path / "vllm").write_text("#!/nowhere/python3\n")
    (tmp_path / "vllm").chmod(0o755)
    worker = start(VLLM_COMMAND=str(tmp_path / "vllm"))
    assert worker.wait() == 127
    assert "or the interpreter in its first line, was not found" in no_traceback(worker)


@pytest.mark.parametrize("name", ["VLLM_PORT", "PORT_HEALTH"])
def test_a_taken_port_is_named_with_its_owner(start: Start, name: str) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        worker = start(**{name: str(port)})
        assert worker.wait() == 78
    text = no_traceback(worker)
    assert f"port {port} is taken by process {psutil.Process().name()}" in text
    assert f"set {name} to a free port" in text
    assert "engine spawned" not in text


def test_a_model_path_that_does_not_exist(start: Start) -> None:
    worker = start(MODEL_NAME="/nowhere/model")
    assert worker.wait() == 78
    assert "MODEL_NAME=/nowhere/model does not exist" in no_traceback(worker)


def test_everything_wrong_is_said_together(start: Start) -> None:
    worker = start(MAX_MODEL_LEN="long", TENSOR_PARALLEL_SIZE="two", HF_TOKEN="hf_verysecret")
    assert worker.wait() == 78
    text = no_traceback(worker)
    assert "MAX_MODEL_LEN=long" in text
    assert "TENSOR_PARALLEL_SIZE=two" in text
    assert "hf_verysecret" not in text


def test_everything_wrong_of_a_node_is_said_together(start: Start) -> None:
    worker = start(
        NUM_NODES="3",
        NODE_RANK="3",
        NODE_ADDR="192.0.2.9/24",
        TENSOR_PARALLEL_SIZE="4",
        DISTRIBUTED_EXECUTOR_BACKEND="ray",
        CLUSTER_TOKEN="hf_verysecret",
    )
    assert worker.wait() == 78
    text = no_traceback(worker)
    for sentence in (
        "NODE_RANK=3 is not one of 0 to 2",
        "NUM_NODES=3 needs PRIMARY_ADDR; set it to the address of rank 0",
        "NODE_ADDR=192.0.2.9 is not an address of this machine; ",
        (
            "TENSOR_PARALLEL_SIZE 4 x PIPELINE_PARALLEL_SIZE 1 x DATA_PARALLEL_SIZE 1 cannot be"
            " shared evenly by 3 nodes"
        ),
        (
            "DISTRIBUTED_EXECUTOR_BACKEND=ray and NUM_NODES=3 exclude each other; with Ray only the"
            " head runs the worker"
        ),
    ):
        assert sentence in text
    assert "engine spawned" not in text
    assert "hf_verysecret" not in text


def test_orphans_of_the_engine_end_with_it(start: Start) -> None:
    worker = start(FAKE_VLLM="orphan")
    worker.until_ready()
    assert len(worker.left()) >= 3
    assert worker.stop() == 0
    assert worker.left() == []


def test_nothing_of_the_engine_outlives_a_killed_supervisor(start: Start) -> None:
    worker = start(FAKE_VLLM="orphan ignore-term")
    worker.until_ready()
    worker.process.kill()
    worker.wait()
    until(lambda: worker.left() == [], what="the end of the engine")


def test_a_second_signal_skips_the_waiting(start: Start) -> None:
    worker = start(FAKE_VLLM="ignore-term")
    worker.until_ready()
    worker.process.send_signal(signal.SIGTERM)
    until(lambda: worker.ping() == 503, what="the drain")
    began = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - began < 30  # the engine would have been killed after 70
    assert worker.left() == []


def test_a_stop_during_the_start_ends_at_once(start: Start) -> None:
    worker = start(FAKE_VLLM="hang-start")
    assert until(worker.ping) == 204
    assert worker.stop() == 0
    assert worker.left() == []


@pytest.mark.parametrize("prefetch", ["0", "1"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_right_after_the_spawn_ends_in_order(
    start: Start, number: signal.Signals, prefetch: str
) -> None:
    """What watches the engine is being imported just then, or a download begins."""
    worker = start(
        FAKE_VLLM="hang-start",
        MODEL_NAME="org/model",
        PREFETCH=prefetch,
        HF_ENDPOINT="http://127.0.0.1:9",
    )
    until(lambda: "engine spawned" in worker.text(), what="the spawn", pause=0.001)
    assert worker.stop(number) == 0
    assert "stopped" in no_traceback(worker)
    assert worker.left() == []


def test_a_running_request_is_finished_before_the_end(start: Start) -> None:
    worker = start()
    worker.until_ready()
    body = {"model": "tiny", "prompt": "x", "stream": True, "fake": {"tokens": 20, "rate": 20}}
    with client.stream("POST", f"{worker.engine_url}/v1/completions", json=body) as answer:
        lines = answer.iter_lines()
        next(lines)
        worker.process.send_signal(signal.SIGTERM)
        rest = [line for line in lines if line]
    assert rest[-1] == "data: [DONE]"
    assert worker.wait() == 0


def test_a_log_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    """A pipe is full after 64 KB; the engine prints megabytes and must still become ready."""
    worker = Worker(tmp_path / "log", {"FAKE_VLLM": "log=30000"}, unread=True)
    try:
        worker.until_ready()
        assert worker.stop() == 0
    finally:
        worker.end()


def test_the_stand_in_is_what_runs() -> None:
    """Guards the tests above against an engine that happens to be installed."""
    assert "fake_vllm" in FAKE
