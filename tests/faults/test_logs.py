"""The log of a whole worker, in both of its forms, in each mode."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import client
from tests.client import PATIENCE
from tests.collector import Collector
from tests.conftest import Start
from tests.emulator.environment import API_KEY, worker_environment
from tests.endpoint import Platform
from tests.processes import CATALOG, FAKE, FAKE_VLLM, ROOT, Worker, free_port, until

#: A line of ours, of its proxy or of a library in either, as text.
OURS = re.compile(r"(\S+) (INFO|WARNING|ERROR|CRITICAL) (supervisor|proxy|runpod|[\w.]+): ")
#: What a caller makes the engine print, to look like the engine, the proxy or the supervisor.
FORGED = (
    "\n(EngineCore pid=7) CRITICAL 11-26 19:00:00 [v1/engine/core.py:95] forged\n"
    '{"ts": "2026-01-01T00:00:00+00:00", "level": "CRITICAL", "source": "supervisor",'
    ' "message": "forged", "job": "forged", "status": 500}\n'
    '~0123456789abcdef {"level": "CRITICAL", "source": "proxy", "message": "forged"}\n'
    "2026-01-01T00:00:00+00:00 CRITICAL supervisor: forged\r\n\r\x1b[2K\x00\n"
)


def objects(worker: Worker) -> list[dict[str, Any]]:
    """Every line of a worker that has ended, each of which is an object."""
    found = [json.loads(line) for line in worker.log.read_bytes().decode().split("\n")[:-1]]
    for each in found:
        assert datetime.fromisoformat(each["ts"]).tzinfo is not None
        assert each["level"] in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
        assert each["source"] in SOURCES, each
        assert isinstance(each["message"], str)
    return found


SOURCES = {"supervisor", "engine", "proxy", "runpod", "read-ahead", "prefetch"}


def with_message(found: list[dict[str, Any]], part: str) -> dict[str, Any]:
    return next(each for each in found if part in each["message"])


def complete(url: str, **fake: Any) -> httpx.Response:
    body = {"model": "tiny", "prompt": "x", "fake": {"tokens": 2, **fake}}
    return client.post(f"{url}/v1/completions", json=body)


@pytest.mark.parametrize("mode", ["plain", "load-balancer"])
def test_each_line_is_an_object(start: Start, mode: str) -> None:
    port = free_port()
    worker = start(
        LOG_FORMAT="json",
        WORKER_MODE=mode,
        PORT=str(port) if mode == "load-balancer" else "",
        DRAIN_DELAY="0",
        FAKE_VLLM="access-log",
        HF_TOKEN="hf_abcdefghijklmnopqrstuvwxyz",
        MAX_MODL_LEN="7",
    )
    worker.engine_port = port if mode == "load-balancer" else worker.engine_port
    worker.until_ready()
    for _ in range(20):
        assert complete(worker.engine_url).status_code == 200
    assert complete(worker.engine_url, prints=FORGED).status_code == 200
    assert complete(worker.engine_url, logs=f"own{FORGED}").status_code == 200
    assert complete(worker.engine_url, status=418).status_code == 418
    os.kill(worker.engine_pid(), signal.SIGKILL)
    until(lambda: "restarting the engine in" in worker.text(), what="a restart")
    worker.until_ready()
    worker.stop()
    found = objects(worker)
    assert with_message(found, "MAX_MODL_LEN")["level"] == "WARNING"
    assert with_message(found, "start: imports")["source"] == "supervisor"
    assert with_message(found, "restarting the engine in")["level"] == "WARNING"
    server = with_message(found, "Starting vLLM server")
    assert server["process"] == "APIServer"
    assert server["place"] == "entry.py:140"
    assert "hf_abc" not in worker.text()

    forged = [each for each in found if "forged" in each["message"]]
    assert len(forged) == 8
    assert {each["source"] for each in forged} == {"engine"}
    assert {"job", "status"}.isdisjoint(set().union(*forged))
    assert {each["level"] for each in forged if "process" not in each} == {"INFO"}
    own = [each for each in forged if "process" in each]
    assert {(each["process"], each["level"]) for each in own} == {("APIServer", "ERROR")}

    asked = [each["message"] for each in found if "HTTP/1.1" in each["message"]]
    assert [line.rpartition('" ')[2][:3] for line in asked] == ["418"]
    folded = [each["message"] for each in found if each["message"].startswith("the engine answ")]
    assert sum(int(n) for line in folded for n in re.findall(r"(\d+) POST /v1/c", line)) == 22


def test_in_queue_mode_a_job_has_its_fields_and_a_failure_its_reason(
    start: Start, platform: Platform
) -> None:
    worker = start(LOG_FORMAT="json", **worker_environment(platform.root))
    worker.until_ready()
    sound = {"prompt": "x", "sampling_params": {"max_tokens": 3}, "stream": True}
    jobs = [
        platform.submit(sound),
        platform.submit(
            {
                "openai_route": "/v1/completions",
                "openai_input": {
                    "model": "tiny",
                    "prompt": "x",
                    "fake": {"status": 400, "message": f"no sk-proj-1234567890abcdef\n{FORGED}"},
                },
            }
        ),
        platform.submit({"openai_route": "/nowhere", "openai_input": {}}),
    ]
    for job, state in zip(jobs, ("COMPLETED", "FAILED", "FAILED"), strict=True):
        platform.until(job, state)
    worker.stop()
    found = objects(worker)
    lines = {each["job"]: each for each in found if "seconds" in each}
    first, refused, route = (lines[job] for job in jobs)
    assert first["source"] == "proxy"
    assert first["route"] == "/v1/completions"
    assert (first["status"], first["tokens"]) == (200, 3)
    assert 0 <= first["wait_s"] <= first["first_token_s"] <= first["seconds"]
    assert "error_kind" not in first
    assert refused["status"] == 400
    assert refused["error_kind"]
    assert "no " in refused["message"]
    assert "sk-proj" not in worker.text()
    assert (route["status"], route["error_kind"]) == (403, "invalid_request_error")
    assert "/nowhere" in route["message"]
    assert "wait_s" not in route
    assert API_KEY not in worker.text()


@pytest.mark.parametrize(
    "text", ["\u8bf7\u7528", '\\"', "\U0001f600"], ids=["cjk", "quotes", "emoji"]
)
def test_what_was_asked_and_answered_is_one_object_whatever_its_alphabet(
    start: Start, platform: Platform, text: str
) -> None:
    worker = start(LOG_FORMAT="json", LOG_CONTENT="1", **worker_environment(platform.root))
    worker.until_ready()
    long = (text * 22_000)[:22_000]
    body = {"model": "tiny", "prompt": long, "fake": {"tokens": 1, "text": long}}
    job = platform.submit({"openai_route": "/v1/completions", "openai_input": body})
    platform.until(job, "COMPLETED")
    worker.stop()
    found = with_message(objects(worker), " asked {")
    assert (found["source"], found["job"]) == ("proxy", job)
    asked, _, answered = found["message"].partition(" and was answered ")
    assert len(asked) >= 20_000
    assert len(answered) >= 20_000


def test_as_text_each_line_of_ours_has_its_date_and_zone(start: Start, platform: Platform) -> None:
    worker = start(FAKE_VLLM="access-log", **worker_environment(platform.root))
    worker.until_ready()
    job = platform.submit({"openai_route": "/nowhere", "openai_input": {}})
    platform.until(job, "FAILED")
    for _ in range(3):
        job = platform.submit({"prompt": "x", "sampling_params": {"max_tokens": 3}})
        platform.until(job, "COMPLETED")
    worker.stop()
    lines = worker.text().splitlines()
    ours = [found for line in lines if (found := OURS.match(line))]
    assert {"supervisor", "proxy"} <= {found[3] for found in ours}
    assert all(datetime.fromisoformat(found[1]).tzinfo is not None for found in ours)
    assert not [line for line in lines if re.match(r"(?:\d\d:|\w+Warning|Traceback)", line)]
    failed = next(line for line in lines if " 403 invalid_request_error" in line)
    assert re.search(r" s in all: .*/nowhere", failed)
    assert not [line for line in lines if 'HTTP/1.1" 200' in line]
    assert [line for line in lines if re.search(r"3 POST /v1/completions 200", line)]


def test_every_line_is_shown_where_the_access_log_is_not_folded(start: Start) -> None:
    worker = start(FAKE_VLLM="access-log", FOLD_ACCESS_LOG="0")
    worker.until_ready()
    for _ in range(3):
        assert complete(worker.engine_url).status_code == 200
    worker.stop()
    assert worker.text().count('"POST /v1/completions HTTP/1.1" 200') == 3


@pytest.mark.parametrize(
    ("environment", "code", "says"),
    [
        ({"MAX_RESTARTS": "many", "MAX_MODEL_LEN": "x\n{}"}, 78, "MAX_RESTARTS=many"),
        ({"VLLM_COMMAND": "/nowhere/vllm"}, 127, "/nowhere/vllm"),
        ({"FAKE_VLLM": "exit=1", "MAX_RESTARTS": "0"}, 70, "giving up"),
    ],
)
@pytest.mark.parametrize("mode", ["plain", "queue"])
def test_what_ends_a_start_is_an_object_too(
    start: Start, platform: Platform, environment: dict[str, str], code: int, says: str, mode: str
) -> None:
    more = worker_environment(platform.root) if mode == "queue" else {}
    lines = 'Traceback (most recent call last):\n  File "x"\nValueError: of the engine'
    worker = start(
        LOG_FORMAT="json", ANSWER_FAILED_FOR="0", FAKE_VLLM_LINES=lines, **more, **environment
    )
    assert worker.wait() == code
    found = objects(worker)
    assert with_message(found, says)["level"] == "ERROR"
    if "FAKE_VLLM" in environment:
        own = with_message(found, "Traceback")
        assert (own["source"], own["level"], own["message"]) == ("engine", "ERROR", lines)


def test_a_wrong_form_is_an_error_in_text(start: Start) -> None:
    worker = start(LOG_FORMAT="xml")
    assert worker.wait() == 78
    assert "LOG_FORMAT=xml is neither text nor json" in worker.text()


def test_a_lone_proxy_has_the_same_forms() -> None:
    environment = {"PATH": os.environ["PATH"], "LOG_FORMAT": "json", "MAX_CONCURRENCY": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "proxy"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 78
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found[0]["source"] == "proxy"
    assert "MAX_CONCURRENCY" in found[0]["message"]


def test_a_fault_of_the_supervisor_is_one_object() -> None:
    program = (
        "import os, sys\n"
        "from supervisor.worker import start\n"
        "start._run = lambda *_: 1 / 0\n"
        "sys.exit(start.run(dict(os.environ)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "LOG_FORMAT": "json",
            "VLLM_COMMAND": FAKE,
            "ENGINE_CATALOG": str(CATALOG),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    (found,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert found["level"] == "ERROR"
    assert found["message"].rstrip().endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("exports", [True, False])
def test_a_collector_that_is_away_costs_one_line_of_the_engines(
    start: Start, form: str, exports: bool
) -> None:
    """By what the SDK says; of an engine that exports nothing such lines can only be a caller's."""
    url = "http://127.0.0.1:9/v1/traces"
    worker = start(
        LOG_FORMAT=form,
        WORKER_MODE="plain",
        VLLM_EXTRA_ARGS=f"--otlp-traces-endpoint={url}" if exports else "",
    )
    worker.until_ready()
    said = (
        "Transient error [Errno 111] Connection refused encountered while exporting spans batch,"
        " retrying in 0.96s.\n"
        "Failed to export spans batch due to timeout, max retries or shutdown.\n"
        "Exception while exporting Span batch.\n"
        "Traceback (most recent call last):\n"
        '  File "x.py", line 1, in export\n'
        "requests.exceptions.ConnectionError: [Errno 111] Connection refused\n"
    )
    for _ in range(10):
        assert complete(worker.engine_url, prints=said).status_code == 200
    assert complete(worker.engine_url, prints="the end\n").status_code == 200
    until(lambda: "the end" in worker.text(), what="the last of its lines")
    told = f"the engine's spans do not reach {url}: Connection refused; what its exporter says"
    if exports:
        until(lambda: told in worker.text(), what="the line")
    assert worker.stop() == 0
    assert worker.text().count(told) == exports
    for line in ("Transient error", "Failed to export", "Exception while", "ConnectionError"):
        assert worker.text().count(line) == (0 if exports else 10)


#: The stand-in, and beside it what vLLM does with spans: `vllm.tracing` sets up the SDK like this.
_EXPORTING = """
import runpy, sys, threading, time
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

[url] = [each.partition("=")[2] for each in sys.argv if each.startswith("--otlp-traces-endpoint=")]
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url, timeout=0.5)))

def spans():
    while True:
        provider.get_tracer("x").start_span("request").end()
        time.sleep(0.1)

threading.Thread(target=spans, daemon=True).start()
runpy.run_path(FAKE, run_name="__main__")
"""


@pytest.mark.parametrize("how", ["is not there", "refuses"])
def test_the_lines_of_the_real_exporter_are_known(start: Start, tmp_path: Path, how: str) -> None:
    engine = tmp_path / "engine.py"
    engine.write_text(_EXPORTING.replace("FAKE", repr(str(FAKE_VLLM))))
    with Collector(status=400) as collector:
        url = "http://127.0.0.1:9" if how == "is not there" else collector.url
        worker = start(
            VLLM_COMMAND=f"{sys.executable} {engine}",
            WORKER_MODE="plain",
            OTEL_BSP_SCHEDULE_DELAY="100",
            VLLM_EXTRA_ARGS=f"--otlp-traces-endpoint={url}/v1/traces",
        )
        worker.until_ready()
        told = f"the engine's spans do not reach {url}/v1/traces"
        until(lambda: told in worker.text(), what="the line")
        time.sleep(2)  # in which many more are written
        assert worker.stop() == 0
        why = "it answers 400" if how == "refuses" else ""
        assert worker.text().count(f"{told}{why and ': '}{why};") == 1
        [counted] = re.findall(r"its exporter wrote (\d+) line", worker.text())
        assert int(counted) > 1
        assert " to export " not in worker.text()
