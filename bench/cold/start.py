"""One start: the seconds from its process to health, to readiness, to the first token."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench.around.processes import ProcessEndedError
from tests import client
from tests.processes import Worker, free_port

MODEL = "demo"  # as it is served
BARE, OURS, WARM = "bare", "ours", "ours, warmed up"
CONTENDERS = (BARE, OURS, WARM)
_ANSWERS = 10
_WITHIN_S = 900.0
_PAUSE_S = 0.02
#: The same for both, as options and as variables.
_OPTIONS = ("--dtype=float32", "--enforce-eager", f"--served-model-name={MODEL}")
_VARIABLES = {"DTYPE": "float32", "ENFORCE_EAGER": "true", "SERVED_MODEL_NAME": MODEL}
_ENGINE = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process.

    Attributes:
        health_s: to the engine's first 200 at `/health`.
        ready_s: to readiness: of the worker, or the same for a bare engine.
        token_s: to the first token of the first answer, which is asked for then.
        first_ms: from that request to its first token.
        tenth_ms: the same for the tenth request, each after the other.
        other_cores: what else kept the machine busy.
    """

    health_s: float
    ready_s: float
    token_s: float
    first_ms: float
    tenth_ms: float
    other_cores: float


def measure(contender: str, vllm: Path, model: str, env: Mapping[str, str], log: Path) -> Start:
    """Start one and end it.

    Args:
        contender: one of CONTENDERS.
        vllm: the engine's command.
        model: what is served.
        env: the variables of this set-up, the same for each contender.
        log: a file for what it prints.

    Raises:
        ProcessEndedError: it ended, or was not ready in time.
    """
    with _Others() as others:
        began = time.perf_counter()
        run = _bare if contender == BARE else _supervised
        more = {"PREFETCH": "1", "WARMUP": "1" if contender == WARM else "0"}
        with run(vllm, model, {**_ENGINE, **env}, more, log) as (alive, engine, control):
            health = _until(lambda: answers_200(engine, "/health"), alive, log) - began
            ready = health
            if control is not None:
                ready = _until(lambda: answers_200(control, "/ping"), alive, log) - began
            asked = time.perf_counter()
            first = time_to_first_token(engine, 0)
            token = asked - began + first
            later = [time_to_first_token(engine, number) for number in range(1, _ANSWERS)]
    return Start(health, ready, token, first * 1000, later[-1] * 1000, others.cores)


Running = Iterator[tuple[Callable[[], bool], int, int | None]]


@contextlib.contextmanager
def _bare(
    vllm: Path, model: str, env: Mapping[str, str], _more: Mapping[str, str], log: Path
) -> Running:
    """Whether it lives, its port, and no control port."""
    port = free_port()
    command = [str(vllm), "serve", model, "--host=127.0.0.1", f"--port={port}", *_OPTIONS]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], **env},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield lambda: process.poll() is None, port, None
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def _supervised(
    vllm: Path, model: str, env: Mapping[str, str], more: Mapping[str, str], log: Path
) -> Running:
    """Whether it lives, the engine's port, and the control port."""
    own = {"VLLM_COMMAND": str(vllm), "MODEL_NAME": model, "WORKER_MODE": "plain", **_VARIABLES}
    worker = Worker(log, {**own, **env, **more})
    try:
        yield lambda: worker.process.poll() is None, worker.engine_port, worker.control_port
        worker.stop()
    finally:
        worker.end()


def _until(condition: Callable[[], bool], alive: Callable[[], bool], log: Path) -> float:
    """The time on the clock at which it is true."""
    end = time.perf_counter() + _WITHIN_S
    while not condition():
        if not alive() or time.perf_counter() > end:
            raise ProcessEndedError(f"it ended or was not ready in time:\n{_last_lines(log)}")
        time.sleep(_PAUSE_S)
    return time.perf_counter()


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


def answers_200(port: int, path: str) -> bool:
    """Whether it answers so; by hand, because it is asked fifty times a second."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


def time_to_first_token(port: int, number: int) -> float:
    """Seconds from a request to the first token of its answer. Raises ProcessEndedError."""
    content = f"What is {number}?"  # no two alike: a prefix that is cached would help
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": 8,
        "stream": True,
    }
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    began, found = time.perf_counter(), None
    try:
        with client.stream("POST", url, json=body) as answer:
            for line in answer.iter_lines():
                if found is None and _has_token(line):
                    found = time.perf_counter() - began
    except httpx.HTTPError as reason:
        raise ProcessEndedError(f"no answer: {reason}") from None
    if found is None:
        raise ProcessEndedError("an answer without a token")
    return found


def _has_token(line: str) -> bool:
    if not line.startswith("data: {"):
        return False
    choices = json.loads(line.removeprefix("data: ")).get("choices") or [{}]
    return bool(choices[0].get("delta", {}).get("content"))


class _Others:
    """How many cores were busy with something else than what this process has started."""

    cores = 0.0

    def __enter__(self) -> _Others:
        self._began, self._busy, self._own = time.perf_counter(), _busy_s(), _own_s()
        return self

    def __exit__(self, *_reason: object) -> None:
        seconds = time.perf_counter() - self._began
        others = (_busy_s() - self._busy) - (_own_s() - self._own)
        self.cores = max(0.0, others / seconds)


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def _own_s() -> float:
    """Of this process, and of those that have ended and were waited for."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in found)
