"""`python -m proxy` as a process: the real SDK between the platform's emulator and an engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import client
from tests.client import PATIENCE
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import ROOT, until

AT_ONCE = 20  # jobs of one proxy


class Proxy:
    """A proxy, its log in a file."""

    def __init__(
        self, platform: Platform, engine: str, log: Path, *start: str, **environment: str
    ) -> None:
        self.log = log
        start = start or ("-m", "proxy")
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *start],
                cwd=ROOT,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": os.environ["HOME"],
                    **worker_environment(platform.root),
                    "ENGINE_URL": engine,
                    "MAX_CONCURRENCY": str(AT_ONCE),
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Proxy:
        try:
            until(lambda: "taking jobs" in self.log.read_text(), what="a proxy that takes jobs")
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_reason: object) -> None:
        for process in psutil.Process(self.process.pid).children() if self.alive else ():
            process.kill()
        self.process.kill()
        self.process.wait(PATIENCE)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def size(self) -> tuple[float, int]:
        """Resident memory in MB, and open descriptors."""
        process = psutil.Process(self.process.pid)
        return process.memory_info().rss / 1e6, process.num_fds()


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform() as one:
        yield one


def stream(**fake: Any) -> dict[str, Any]:
    body = {"model": "tiny", "prompt": "x", "stream": True, "fake": fake}
    return {"openai_route": "/v1/completions", "openai_input": body}


#: What a job is doing when it is cancelled; the platform is slow to take outputs in the last one.
STAGES: list[dict[str, Any]] = [
    {"hang": True},  # no headers yet
    {"first_token_s": 100_000},  # headers, no token
    {"tokens": 100_000, "rate": 100},  # in mid-stream
    {"tokens": 100_000, "rate": 100, "big": 200_000},  # while a batch is posted
]


@pytest.mark.slow
def test_two_hundred_cancelled_jobs_leave_nothing(
    platform: Platform, fake_engine: str, tmp_path: Path
) -> None:
    """Each is cancelled where it stands; the engine is free, and the proxy as it was."""
    with Proxy(platform, fake_engine, tmp_path / "log") as proxy:
        sizes = []
        for number in range(200 // AT_ONCE):
            stage = STAGES[number % len(STAGES)]
            if "big" in stage:
                platform.fault(path="job-stream", delay_ms=500, times=AT_ONCE * 4)
            jobs = [platform.submit(stream(**stage)) for _ in range(AT_ONCE + 2)]
            until(lambda: client.running(fake_engine) == AT_ONCE, what="every place taken")
            for job in jobs[AT_ONCE:]:  # the two that wait
                platform.cancel(job)
            for job in jobs:
                platform.cancel(job)
            # None of them would come to an end by itself within the time that is waited.
            until(lambda: client.running(fake_engine) == 0, what="the engine's rest")
            platform.no_faults()
            sizes.append(proxy.size())
        done = platform.submit({"prompt": "x"})
        platform.until(done, "COMPLETED")
        (early_mb, early_files), (late_mb, late_files) = sizes[3], sizes[-1]
        assert late_mb - early_mb < 10, sizes
        assert late_files - early_files <= AT_ONCE, sizes
        assert proxy.stop() == 0
        assert "Traceback" not in proxy.log.read_text()
    assert client.running(fake_engine) == 0


@pytest.mark.slow
def test_no_job_is_lost_between_the_platform_and_a_worker_that_stops(
    fake_engine: str, tmp_path: Path
) -> None:
    """Jobs come just while the poll closes: each is answered, here or by the next worker.

    Half a second to the platform and back makes the moment wide enough to be hit.
    """
    with Platform("--latency-ms", "500") as platform:
        jobs: list[str] = []
        for number, offset in enumerate([0.1, 0.3, 0.5]):
            with Proxy(platform, fake_engine, tmp_path / f"log-{number}") as proxy:
                until(lambda: polls(platform), what="an open poll")
                jobs += [platform.submit(stream(tokens=5, rate=20)) for _ in range(3)]
                time.sleep(offset)  # a moment of the poll, which is what is tried
                assert proxy.stop() == 0
                in_hand = [job for job in jobs if platform.job(job)["status"] == "IN_PROGRESS"]
                assert in_hand == []
        with Proxy(platform, fake_engine, tmp_path / "log-last"):
            for job in jobs:
                found = platform.until(job, "COMPLETED")
                assert "".join(found["output"]).count('"text"') == 5
                assert found["done"] == 1


def polls(platform: Platform) -> bool:
    """Whether a worker's question is open."""
    log = client.get(f"{platform.root}/_emulator/log").json()
    takes = [call for call in log if call["kind"].startswith("job-take")]
    return bool(takes) and takes[-1]["status"] is None


class _Says(BaseHTTPRequestHandler):
    """An engine with one answer."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_said: object) -> None: ...


@contextmanager
def engine_that_says(answer: bytes) -> Iterator[str]:
    """The URL of an engine that gives each request this answer."""
    handler = type("_SaysThis", (_Says,), {"body": answer})
    engine = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=engine.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{engine.server_port}"
    finally:
        engine.shutdown()
        engine.server_close()


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "a field of the answer", "x": 1},  # the status says whether the engine failed
        {"text": "half of a character: \ud83d", "back": "\\\ud800"},  # which UTF-8 has not
    ],
    ids=["a key error", "a lone surrogate"],
)
def test_an_answer_is_a_result_whatever_is_in_it(
    platform: Platform, tmp_path: Path, answer: dict[str, Any]
) -> None:
    with (
        engine_that_says(json.dumps(answer).encode()) as url,
        Proxy(platform, url, tmp_path / "log"),
    ):
        job = platform.submit({"route": "/pooling", "body": {"model": "tiny", "input": "x"}})
        found = platform.until(job, "COMPLETED")
        assert found["output"] == [answer]


def test_what_json_has_not_is_null_on_the_platform(platform: Platform, tmp_path: Path) -> None:
    """Python's parser would read NaN; those of the callers do not."""
    answer = b'{"choices": [{"text": "\\ud83d", "logprobs": {"p": NaN}}], "data": [-Infinity]}'
    with engine_that_says(answer) as url, Proxy(platform, url, tmp_path / "log"):
        native = platform.submit({"prompt": "x", "model": "tiny"})
        other = platform.submit({"route": "/pooling", "body": {"model": "tiny", "input": "x"}})
        (found,) = platform.until(native, "COMPLETED")["output"]
        assert found["choices"] == [{"tokens": ["\ud83d"], "logprobs": [{"p": None}]}]
        (found,) = platform.until(other, "COMPLETED")["output"]
        assert found == {
            "choices": [{"text": "\ud83d", "logprobs": {"p": None}}],
            "data": [None],
        }


def test_tool_calls_reasoning_and_recordings_through_the_platform(
    platform: Platform, fake_engine: str, tmp_path: Path
) -> None:
    calls = [{"index": 0, "function": {"name": "tell"}}, {"index": 0, "function": {"x": "{}"}}]
    fake = {"beside": {"reasoning": "let me see", "tool_calls": calls}}
    sampling = {"max_tokens": 2, "fake": fake}
    ask = {"messages": [{"role": "user", "content": "hi"}], "sampling_params": sampling}
    with Proxy(platform, fake_engine, tmp_path / "log"):
        whole = platform.submit(ask)
        streamed = platform.submit({**ask, "stream": True})
        body = {"file": "data:audio/wav;base64,UklGRg==", "language": "en"}
        audio = platform.submit({"route": "/v1/audio/transcriptions", "body": body})
        (answer,) = platform.until(whole, "COMPLETED")["output"]
        assert answer["choices"] == [
            {"tokens": [" w0 w1"], "reasoning": ["let me see"], "tool_calls": calls}
        ]
        came: dict[str, list[Any]] = {}
        for batch in platform.until(streamed, "COMPLETED")["output"]:
            for name, pieces in (batch["choices"] or [{}])[0].items():
                came.setdefault(name, []).extend(pieces)
        assert came["reasoning"] == ["let", "me", "see"]
        assert came["tool_calls"] == calls
        assert came["tokens"] == [" w0", " w1"]
        (heard,) = platform.until(audio, "COMPLETED")["output"]
        assert (heard["text"], heard["file"]["name"]) == ("4 bytes of sound", "audio.wav")
        assert ["model", "tiny"] in heard["fields"]


#: Starts the proxy as if a new SDK had lost what we build on.
ANOTHER_SDK = """
import inspect, runpy
inspect.getsource = lambda _found: "class JobScaler: ..."
runpy.run_module("proxy", run_name="__main__")
"""


def test_with_another_sdk_its_own_way_is_used(
    platform: Platform, fake_engine: str, tmp_path: Path
) -> None:
    """A warning, and jobs are answered all the same; cancelling frees the engine."""
    with Proxy(platform, fake_engine, tmp_path / "log", "-c", ANOTHER_SDK) as proxy:
        found = platform.until(platform.submit(stream(tokens=5, rate=50)), "COMPLETED")
        assert "".join(found["output"]).count('"text"') == 5
        job = platform.submit(stream(tokens=100_000, rate=100))
        until(lambda: platform.job(job)["posts"], what="the first batch")
        platform.cancel(job)
        until(lambda: client.running(fake_engine) == 0, what="the engine's rest")
        failed = platform.until(platform.submit({}), "FAILED")
        assert json.loads(failed["error"])["code"] == 400
        assert "has no self.config = config" in proxy.log.read_text()
