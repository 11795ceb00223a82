"""The log of a worker with the real engine, as objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests import client
from tests.e2e.conftest import engine_environment, give_way
from tests.processes import Worker

pytestmark = [pytest.mark.e2e, pytest.mark.own_engine, pytest.mark.timeout(1800)]

_READY_WITHIN = 600.0  # seconds: a cold disk, not a slow engine


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    settings = {"LOG_FORMAT": "json", "WARMUP": "1", "VLLM_API_KEY": "of-this-engine"}
    one = Worker(tmp_path / "worker.log", engine_environment(**settings))
    try:
        one.until_ready(_READY_WITHIN)
        give_way(one)
        yield one
    finally:
        one.end()


def test_every_line_is_an_object_with_its_parts(worker: Worker) -> None:
    headers = {"Authorization": "Bearer of-this-engine"}
    asked = f"{worker.engine_url}/v1/completions"
    (model,) = client.get(f"{worker.engine_url}/v1/models", headers=headers).json()["data"]
    body = {"model": model["id"], "prompt": "Who", "max_tokens": 2}
    for _ in range(5):
        assert client.post(asked, json=body, headers=headers).status_code == 200
    assert client.post(asked, json=body).status_code == 401
    assert client.post(asked, json={**body, "top_p": 7}, headers=headers).status_code == 400
    assert worker.stop() == 0

    found = [json.loads(line) for line in worker.log.read_bytes().decode().split("\n")[:-1]]
    assert all(datetime.fromisoformat(each["ts"]).tzinfo is not None for each in found)
    of_engine = [each for each in found if each["source"] == "engine"]
    assert {"APIServer", "EngineCore"} <= {each.get("process", "").split("_")[0] for each in found}
    parted = [each for each in of_engine if "place" in each]
    assert len(parted) > 10
    assert not [each for each in parted if each["message"].startswith(("INFO", "(API", "~"))]
    assert [each for each in parted if each["level"] == "INFO"]
    assert "of-this-engine" not in worker.text()

    shown = _with(found, "HTTP/1.1")
    assert not [each for each in shown if '" 200' in each["message"]]
    assert [each for each in shown if '" 400' in each["message"]]
    folded = [re.findall(r"(\d+) POST /v1/completions 200", each["message"]) for each in found]
    assert sum(int(number) for each in folded for number in each) >= 5
    assert [each["source"] for each in _with(found, "start: in all")] == ["supervisor"]


def _with(found: list[dict[str, Any]], part: str) -> list[dict[str, Any]]:
    return [each for each in found if part in each["message"]]
