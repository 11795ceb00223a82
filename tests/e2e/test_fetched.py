"""The real engine and a model that was downloaded while it imported."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.client import PATIENCE
from tests.e2e.conftest import engine_environment
from tests.e2e.repository import DEMO, contents, repository
from tests.hub.serving import hub
from tests.processes import Worker

__all__ = ["repository"]  # a fixture

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


@pytest.mark.own_engine
@pytest.mark.parametrize("prefetch", ["1", "0"])
def test_the_engine_finds_what_was_fetched_while_it_imported(
    repository: Path, tmp_path: Path, prefetch: str
) -> None:
    """Each file is sent once, and with PREFETCH=0 to the engine itself."""
    folder = tmp_path / "volume"
    folder.mkdir()
    env = {**engine_environment(), "HF_HUB_OFFLINE": "", "BASE_PATH": str(folder)}
    for name in ("SERVED_MODEL_NAME", "TOKENIZER"):
        env.pop(name, None)
    size = (repository / "model.safetensors").stat().st_size
    with hub("--slow", str(size // 5), demo=repository) as url:
        more = {"MODEL_NAME": "org/demo", "HF_ENDPOINT": url, "PREFETCH": prefetch}
        worker = Worker(tmp_path / "log", {**env, **more})
        try:
            worker.until_ready(600)
            body = {"model": "org/demo", "prompt": "one", "max_tokens": 3}
            answer = httpx.post(f"{worker.engine_url}/v1/completions", json=body, timeout=PATIENCE)
            assert answer.status_code == 200, answer.text
            assert worker.stop() == 0
        finally:
            worker.end()
        sent = contents(url)
    whole = [each for each in sent if not each["range"] and each["sent"]]
    named = [each["file"] for each in whole]
    assert sorted(set(named) & DEMO) == sorted(DEMO)
    assert len(named) == len(set(named)), "a file was sent twice"
    by = {each["file"]: each["agent"].startswith("vllm-supervisor/") for each in whole}
    assert {name: by[name] for name in DEMO} == dict.fromkeys(DEMO, prefetch == "1")
    engine = [each for each in sent if not each["agent"].startswith("vllm-supervisor/")]
    [weights] = [each for each in whole if each["file"] == "model.safetensors"]
    first = min((each["when"] for each in engine), default=float("inf"))
    assert (weights["when"] < first) == (prefetch == "1")
