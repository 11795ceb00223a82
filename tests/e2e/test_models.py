"""Models that come from a hub, or were baked in, served by the real engine."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests import client
from tests.e2e.conftest import engine_environment
from tests.e2e.repository import bake, repository
from tests.hub.serving import hub
from tests.processes import Worker, until

pytestmark = [pytest.mark.e2e, pytest.mark.own_engine, pytest.mark.timeout(1800)]

__all__ = ["repository"]  # a fixture


@pytest.mark.parametrize("model", ["org/demo", "org/many/small/v1"])
def test_how_far_a_download_is_can_be_seen_while_it_lasts(
    repository: Path, tmp_path: Path, model: str
) -> None:
    """VLLM prints nothing of its own; a model in a folder of its repository is fetched by us."""
    many = tmp_path / "many"
    shutil.copytree(repository, many / "small" / "v1")
    env = {**engine_environment(), "HF_HUB_OFFLINE": "", "BASE_PATH": str(tmp_path)}
    env["PREFETCH"] = "0"
    for name in ("SERVED_MODEL_NAME", "TOKENIZER"):
        env.pop(name, None)
    size = (repository / "model.safetensors").stat().st_size
    with hub("--slow", str(size // 12), demo=repository, many=many) as url:
        worker = Worker(tmp_path / "log", {**env, "MODEL_NAME": model, "HF_ENDPOINT": url})
        try:
            until(
                lambda: worker.ping() and "downloading the model (" in worker.status()["doing"],
                600,
                f"a download in\n{worker.text()}\n",
            )
            assert worker.ping() == 204
            worker.until_ready(600)
            phases = worker.status()["phases"]
            assert phases["download"] > 6, phases
            assert re.search(
                r"engine is downloading the model \(\d+ %, [\d.]+ MB/s\)", worker.text()
            )
            body = {"model": model, "prompt": "one", "max_tokens": 3}
            answer = client.post(f"{worker.engine_url}/v1/completions", json=body)
            assert answer.status_code == 200, answer.text
            assert worker.stop() == 0
        finally:
            worker.end()


def test_a_baked_model_is_served_offline_under_both_names(repository: Path, tmp_path: Path) -> None:
    """The hub is gone by then."""
    with hub(demo=repository) as url:
        assert bake(url, tmp_path / "models").returncode == 0
    env = engine_environment(
        OPENAI_SERVED_MODEL_NAME_OVERRIDE="short", BAKED_MODELS=str(tmp_path / "models")
    )
    for name in ("SERVED_MODEL_NAME", "MODEL_NAME", "HF_HUB_OFFLINE"):
        env.pop(name, None)
    worker = Worker(tmp_path / "log", {**env, "MODEL_NAME": "", "HF_ENDPOINT": url})
    try:
        worker.until_ready(600)
        for name in ("short", "org/demo"):
            body = {"model": name, "prompt": "one", "max_tokens": 3}
            answer = client.post(f"{worker.engine_url}/v1/completions", json=body)
            assert answer.status_code == 200, answer.text
        phases = worker.status()["phases"]
        assert {"spawn", "imports", "weights", "engine_start"} <= set(phases)
        assert "start: in all" in worker.text()
        assert worker.stop() == 0
    finally:
        worker.end()
