"""A real engine that is warmed up before the worker is ready."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import client
from tests.e2e.conftest import engine_environment
from tests.processes import Worker

pytestmark = [pytest.mark.e2e, pytest.mark.own_engine, pytest.mark.timeout(1800)]


KEY = "a-key-of-the-engine"
SHOWN = {"Authorization": f"Bearer {KEY}"}


def counted(worker: Worker, name: str) -> float:
    """The sum of one of vLLM's counters."""
    text = client.get(f"{worker.engine_url}/metrics", headers=SHOWN).text
    found = re.findall(rf"^vllm:{name}{{.*}} ([0-9.e+]+)$", text, re.MULTILINE)
    return sum(float(number) for number in found)


def test_what_a_first_answer_loads_is_there_when_the_worker_is_ready(tmp_path: Path) -> None:
    """By a chat, and an answer in JSON; with a key that the engine asks for."""
    worker = Worker(tmp_path / "log", engine_environment(WARMUP="1", VLLM_API_KEY=KEY))
    try:
        worker.until_ready(600)
        assert counted(worker, "request_success_total") == 5, worker.text()
        assert counted(worker, "generation_tokens_total") > 5
        assert "warmed up: 5 requests to /v1/chat/completions, the first" in worker.text()
        assert 0 < worker.status()["phases"]["warmup"] < 30
        body = {"messages": [{"role": "user", "content": "one"}], "max_tokens": 3, "stream": True}
        url = f"{worker.engine_url}/v1/chat/completions"
        with client.stream("POST", url, json=body, headers=SHOWN) as answer:
            assert "data: {" in next(line for line in answer.iter_lines() if line)
        assert worker.stop() == 0
    finally:
        worker.end()
