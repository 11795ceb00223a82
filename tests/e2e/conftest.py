"""One start of the real engine, under the supervisor in plain mode on port 8000, serves all tests.

The proxy stands beside it, with the real SDK, between that engine and a local RunPod endpoint.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest

from tests import client, turns
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import ROOT, Worker, until
from tools import run

_READY_WITHIN = 600.0  # seconds: a cold disk, not a slow engine


SETTINGS = {
    # A request that is still running when it is cancelled, however slow the machine is just then.
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",
    "MAX_MODEL_LEN": "32768",
    "ENABLE_AUTO_TOOL_CHOICE": "true",
    "TOOL_CALL_PARSER": "hermes",
    # The demonstration model would fill a schema's answers with blank lines to the last token.
    "STRUCTURED_OUTPUTS_CONFIG": '{"backend": "xgrammar", "disable_any_whitespace": true}',
}


PATIENT = ["--worker-lost-seconds", "3600"]


@dataclass(frozen=True)
class Endpoint:
    """Where the parts are."""

    worker: Worker
    engine_url: str
    platform_url: str
    direct: openai.OpenAI  # a client of the engine itself
    through: openai.OpenAI  # a client of the platform, as a user has it

    def running(self) -> float:
        """How many requests the engine works on. Costs the engine several ms: ask seldom."""
        return client.running(self.engine_url)


def _client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url, api_key="none", max_retries=0)


def engine_environment(**more: str) -> dict[str, str]:
    """What `make run` would hand to the supervisor, for the engine that VLLM_COMMAND names."""
    command = os.environ.get("VLLM_COMMAND", "")
    if not command:
        pytest.fail("VLLM_COMMAND does not name the real vLLM; run the tests with `make test`")
    return {"ENGINE_CATALOG": "", **run.settings(more, ROOT, Path(command), cpu=True)}


def give_way(worker: Worker) -> None:
    """Let every other process go before the engine, whose threads spin while a request runs.

    Where sessions are scheduled as groups, two cores full of them have starved the rest for a
    minute.
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{worker.engine_pid()}/autogroup").write_text("19")


@pytest.fixture(scope="package")
def turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """No other real engine runs as long as the one that all tests here share."""
    with turns.engine.taken(turns.aloud(request.config)):
        yield


@pytest.fixture(scope="package")
def endpoint(tmp_path_factory: pytest.TempPathFactory, turn: None) -> Iterator[Endpoint]:
    """The engine, ready, with the proxy and the platform beside it."""
    del turn
    folder = tmp_path_factory.mktemp("e2e")
    worker = Worker(folder / "worker.log", engine_environment(VLLM_PORT="8000", **SETTINGS))
    proxy: subprocess.Popen[bytes] | None = None
    platform = Platform(*PATIENT)
    try:
        proxy_env = {
            **os.environ,
            **worker_environment(platform.root),
            "ENGINE_URL": "http://127.0.0.1:8000",
            "CONTROL_URL": f"http://127.0.0.1:{worker.control_port}",
        }
        with (folder / "proxy.log").open("wb") as log:
            proxy = subprocess.Popen(
                [sys.executable, "-m", "proxy"], cwd=ROOT, env=proxy_env, stdout=log, stderr=log
            )
        worker.until_ready(_READY_WITHIN)
        give_way(worker)
        url = "http://127.0.0.1:8000"
        with _client(f"{url}/v1") as direct, _client(f"{platform.url}/openai/v1") as through:
            yield Endpoint(worker, url, platform.url, direct, through)
        proxy.send_signal(signal.SIGTERM)
        assert proxy.wait(client.PATIENCE) == 0, (folder / "proxy.log").read_text()
        assert worker.stop() == 0, worker.text()
        until(lambda: worker.left() == [], what="the end of every process")
    finally:
        if proxy is not None:
            proxy.kill()
            proxy.wait()
        platform.end()
        worker.end()
