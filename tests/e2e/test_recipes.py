"""Recipes served by the real engine, each with a tiny model of the kind that it is for."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import client
from tests.e2e.conftest import engine_environment
from tests.processes import Worker
from tools.docs import recipes

pytestmark = [pytest.mark.e2e, pytest.mark.own_engine, pytest.mark.timeout(1800)]

_MADE_WITHIN = 300.0  # seconds: a cold disk, from which torch is read
#: What `make run` says for the demonstration model, and no recipe wants.
_OF_THE_DEMONSTRATION = ("SERVED_MODEL_NAME", "MODEL_NAME", "MAX_MODEL_LEN")
Models = Callable[[str], Path]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Makes a tiny model of a kind, once."""
    base = tmp_path_factory.mktemp("models")

    def made(kind: str) -> Path:
        folder = base / kind
        if not folder.exists():
            folder.mkdir()
            python = Path(os.environ["VLLM_COMMAND"]).parent / "python"
            script = Path(__file__).with_name("tiny.py")
            done = subprocess.run(
                [python, script, kind, folder], capture_output=True, text=True, timeout=_MADE_WITHIN
            )
            assert done.returncode == 0, done.stderr
        return folder

    return made


@contextmanager
def served(name: str, folder: Path, log: Path, **instead: str) -> Iterator[Worker]:
    """The recipe as it stands, but for the model and what else the caller names."""
    (recipe,) = [each for each in recipes.every() if each.name == name]
    env = engine_environment()
    for variable in _OF_THE_DEMONSTRATION:
        env.pop(variable, None)
    env |= recipe.env | {"MODEL_NAME": str(folder), "SERVED_MODEL_NAME": "tiny"} | instead
    worker = Worker(log, env)
    try:
        worker.until_ready(600)
        yield worker
        assert worker.stop() == 0, worker.text()
    finally:
        worker.end()


def asked(worker: Worker, path: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"{worker.engine_url}{path}", json={"model": "tiny", **body})
    assert answer.status_code == 200, answer.text + worker.text()
    said: dict[str, Any] = answer.json()
    return said


def chat(worker: Worker, **more: Any) -> dict[str, Any]:
    """The message that is answered."""
    body = {"messages": [{"role": "user", "content": "one two three"}], "max_tokens": 64, **more}
    message: dict[str, Any] = asked(worker, "/v1/chat/completions", **body)["choices"][0]["message"]
    return message


def test_reasoning_and_tools(models: Models, tmp_path: Path) -> None:
    """Random weights never end a thought; a tool that has to be called is held to its form."""
    function = {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Oslo", "Rome"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    }
    with served("qwen3-8b", models("qwen3"), tmp_path / "log") as worker:
        thought = chat(worker)
        assert thought["reasoning"]
        assert not thought["content"]
        answered = chat(worker, chat_template_kwargs={"enable_thinking": False})
        assert answered["content"]
        assert not answered["reasoning"]
        called = chat(
            worker,
            tools=[{"type": "function", "function": function}],
            tool_choice={"type": "function", "function": {"name": "weather"}},
            chat_template_kwargs={"enable_thinking": False},
        )["tool_calls"][0]["function"]
        assert called["name"] == "weather"
        json.loads(called["arguments"])
        allowed = chat(worker, tools=[{"type": "function", "function": function}])
        assert allowed["role"] == "assistant"  # refused without both settings for tools


def test_drafts_from_the_prompt(models: Models, tmp_path: Path) -> None:
    with served("qwen3-8b-ngram", models("qwen3"), tmp_path / "log") as worker:
        words = "one two three four " * 8
        body = {"prompt": words, "max_tokens": 64, "temperature": 0, "ignore_eos": True}
        assert asked(worker, "/v1/completions", **body)["usage"]["completion_tokens"] == 64
        metrics = client.get(f"{worker.engine_url}/metrics").text
        assert "vllm:spec_decode_num_drafts_total" in metrics


def test_a_lora_adapter(models: Models, tmp_path: Path) -> None:
    folder = models("llama")
    adapter = json.dumps([{"name": "sql", "path": str(folder / "adapter")}])
    with served("llama-3.2-3b-lora", folder, tmp_path / "log", LORA_MODULES=adapter) as worker:
        body = {"prompt": "one two three", "max_tokens": 32, "temperature": 0}
        plain = asked(worker, "/v1/completions", **body)["choices"][0]["text"]
        adapted = asked(worker, "/v1/completions", **{**body, "model": "sql"})["choices"][0]["text"]
        assert plain != adapted


def test_embeddings(models: Models, tmp_path: Path) -> None:
    """Also those that warm it up."""
    with served("qwen3-embedding", models("qwen3"), tmp_path / "log", WARMUP="1") as worker:
        assert "warmed up: 4 requests to /v1/embeddings, the first one" in worker.text()
        found = asked(worker, "/v1/embeddings", input=["one", "two"])["data"]
        assert [len(each["embedding"]) for each in found] == [128, 128]
        assert found[0]["embedding"] != found[1]["embedding"]


def test_reranking(models: Models, tmp_path: Path) -> None:
    """Also that which warms it up."""
    with served("bge-reranker", models("reranker"), tmp_path / "log", WARMUP="1") as worker:
        assert "warmed up: 4 requests to /score, the first one" in worker.text()
        documents = ["one two", "three four"]
        found = asked(worker, "/v1/rerank", query="one", documents=documents)["results"]
        assert sorted(each["index"] for each in found) == [0, 1]
        assert all(0 <= each["relevance_score"] <= 1 for each in found)
