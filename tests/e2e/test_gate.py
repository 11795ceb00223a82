"""The gate in real engines of two versions: what was open with a key is closed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import psutil
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests import client, turns
from tests.e2e.conftest import engine_environment
from tests.processes import Worker, until

pytestmark = [pytest.mark.e2e, pytest.mark.own_engine, pytest.mark.timeout(1800)]

FIRST, SECOND = "first-key-of-two", "second-key-of-two"
#: A middleware of the user's own, by his own PYTHONPATH.
USERS = """
class Users:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def marked(message):
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-users", b"yes")]}
            await send(message)

        await self.app(scope, receive, marked if scope["type"] == "http" else send)
"""
#: What answers without a key where vLLM alone asks for one.
OPENED = (
    ("POST", "/invocations"), ("POST", "/tokenize"), ("GET", "/metrics"), ("OPTIONS", "/metrics"),
    ("POST", "/metrics"), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/load"),
    ("POST", "/scale_elastic_ep"), ("POST", "/is_scaling_elastic_ep"), ("GET", "/version"),
    ("GET", "/server_info"), ("POST", "/reset_prefix_cache"), ("POST", "/collective_rpc"),
    ("GET", "/is_sleeping"), ("GET", "/is_sleeping%0A"), ("POST", "/pause"), ("POST", "/sleep"),
)  # fmt: skip


@pytest.fixture(scope="module", params=["newer", "older"])
def worker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    """A worker with two keys, and with all of the administration that vLLM can serve."""
    folder = tmp_path_factory.mktemp("a folder")
    (folder / "users.py").write_text(USERS)
    env = engine_environment(
        VLLM_API_KEY=f"{FIRST}, {SECOND}",
        PYTHONPATH=str(folder),
        VLLM_EXTRA_ARGS="--middleware users.Users --root-path /api",
        VLLM_SERVER_DEV_MODE="1",
        VLLM_ALLOW_RUNTIME_LORA_UPDATING="1",
        ALLOWED_ROUTES="/is_sleeping /reset_prefix_cache",
        ALLOWED_ORIGINS='["*"]',
        GATE_BODY_MB="1",
        WARMUP="1",
        MAX_MODEL_LEN="512",
    )
    if request.param == "older":
        env["VLLM_COMMAND"] = os.environ["OLDER_VLLM_COMMAND"]
    with turns.engine.taken(turns.aloud(request.config)):
        one = Worker(folder / "log", env)
        try:
            one.until_ready(900)
            yield one
            assert one.stop() == 0, one.text()
        finally:
            one.end()


def asked(worker: Worker, method: str, path: str, key: str = "", **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"{worker.engine_url}{path}"
    with httpx.Client(trust_env=False, timeout=client.PATIENCE) as http:
        return http.request(method, url, headers=headers, **more)


def chat(**more: Any) -> dict[str, Any]:
    asks = [{"role": "user", "content": "Who are you?"}]
    return {"model": "demo", "messages": asks, "max_tokens": 8, "temperature": 0, **more}


def test_what_was_open_asks_for_a_key(worker: Worker) -> None:
    for method, path in OPENED:
        body: Any = {"json": chat()} if method == "POST" else {}
        status = asked(worker, method, path, **body).status_code
        assert status == (204 if method == "OPTIONS" else 401), (method, path)
        assert asked(worker, method, f"/api{path}", **body).status_code == status
    assert asked(worker, "GET", "/health").status_code == 200
    assert asked(worker, "GET", "/ping").status_code == 200
    assert asked(worker, "GET", "/api/health").status_code == 200


def test_it_serves_who_shows_a_key(worker: Worker) -> None:
    """OpenAI's client and Anthropic's, which shows it in another header; a stream as well."""
    for key in (FIRST, SECOND):
        url = f"{worker.engine_url}/v1"
        with openai.OpenAI(base_url=url, api_key=key, max_retries=0) as api:
            said = api.chat.completions.create(**chat()).choices[0].message.content
            parts = api.chat.completions.create(**chat(stream=True))
            text = "".join(part.choices[0].delta.content or "" for part in parts)
        assert said
        assert text == said
        with anthropic.Anthropic(base_url=worker.engine_url, api_key=key, max_retries=0) as other:
            asks = chat()["messages"]
            assert other.messages.create(model="demo", max_tokens=8, messages=asks).content
        for path in ("/metrics", "/version", "/docs", "/is_sleeping"):
            answer = asked(worker, "GET", path, key)
            assert answer.status_code == 200
            assert answer.headers["x-users"] == "yes"
        for path in ("/invocations", "/api/invocations", "/reset_prefix_cache"):
            assert asked(worker, "POST", path, key, json=chat()).status_code == 200


def test_administration_is_refused(worker: Worker) -> None:
    for path in (
        "/sleep", "/pause", "/collective_rpc", "/scale_elastic_ep", "/v1/load_lora_adapter",
        "/v1/load_lora_adapter%0A", "/api/v1/unload_lora_adapter", "/reset_mm_cache%0A",
        "/adapters",
    ):  # fmt: skip
        answer = asked(worker, "POST", path, FIRST, json={"lora_name": "x", "lora_path": "/x"})
        assert answer.status_code == 403, path
        assert "ALLOWED_ROUTES" in answer.json()["error"]["message"]
    assert asked(worker, "GET", "/server_info", FIRST).status_code == 403
    assert asked(worker, "GET", "/is_sleeping", FIRST).json() == {"is_sleeping": False}


def test_bodies(worker: Worker) -> None:
    large = b"x" * (1 << 20) + b"x"
    for content in (large, iter([large])):
        path = "/v1/chat/completions"
        assert asked(worker, "POST", path, FIRST, content=content).status_code == 413
    answer = asked(worker, "POST", "/v1/chat/completions", FIRST, json=chat(user="x" * 900_000))
    assert answer.status_code == 200


@pytest.mark.parametrize(("key", "status"), [("", 401), (FIRST, 403)])
def test_websockets(worker: Worker, key: str, status: int) -> None:
    """This model has no route that is one: 403 comes from vLLM's router."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"ws://127.0.0.1:{worker.engine_port}/v1/realtime"
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(url, additional_headers=headers, proxy=None),
    ):
        pass
    assert refused.value.response.status_code == status


def test_a_browser_may_ask_first(worker: Worker) -> None:
    headers = {"Origin": "https://x.example", "Access-Control-Request-Method": "POST"}
    with httpx.Client(trust_env=False, timeout=client.PATIENCE) as http:
        answer = http.options(f"{worker.engine_url}/v1/chat/completions", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"


def test_the_worker_itself_has_the_key_and_shows_it_to_nobody(worker: Worker) -> None:
    """Its probes, its warm-up and its reading of /metrics; no key in a log or a command line."""
    text = worker.text()
    assert "warmed up: " in text
    assert "ALLOWED_ROUTES opens /is_sleeping, /reset_prefix_cache" in text
    assert "VLLM_SERVER_DEV_MODE is on" in text
    processes = [psutil.Process(worker.process.pid), *worker.left()]
    lines = [" ".join(each.cmdline()) for each in processes]
    assert any("--middleware=vllm_supervisor_gate.Gate" in line for line in lines)
    assert not [each for each in (text, *lines) if FIRST in each or SECOND in each]
    until(lambda: worker.ping() == 200, what="health")
