"""What a user does, with the client that users have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from supervisor.worker.metrics import names
from tests import client
from tests.e2e.conftest import Endpoint, engine_environment, give_way
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import Worker, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

_ENDS_WITHIN = 600.0  # seconds for an engine that starts on a busy machine and fails

ASK: Any = [{"role": "user", "content": "Who are you?"}]
GREEDY: dict[str, Any] = {"model": "demo", "temperature": 0, "max_tokens": 48}
LONG: dict[str, Any] = {"max_tokens": 30000, "ignore_eos": True, "temperature": 0}


def submit(endpoint: Endpoint, given: dict[str, Any]) -> str:
    answer = client.post(f"{endpoint.platform_url}/run", json={"input": given})
    return str(answer.json()["id"])


def status(endpoint: Endpoint, job: str) -> dict[str, Any]:
    answer = client.get(f"{endpoint.platform_url}/status/{job}")
    found: dict[str, Any] = answer.json()
    return found


def finished(endpoint: Endpoint, job: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        found = status(endpoint, job)
        return None if found["status"] in {"IN_QUEUE", "IN_PROGRESS"} else found

    found = until(ended, what=f"the end of job {job}")
    assert found is not None
    return found


def streamed(client: openai.OpenAI, **options: Any) -> str:
    chunks = client.chat.completions.create(messages=ASK, stream=True, **GREEDY, **options)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_plain_mode_serves_the_openai_api(endpoint: Endpoint) -> None:
    assert [model.id for model in endpoint.direct.models.list()] == ["demo"]
    answer = endpoint.direct.chat.completions.create(messages=ASK, **GREEDY)
    assert "demonstration" in (answer.choices[0].message.content or "").lower()
    assert endpoint.worker.status()["mode"] == "plain"


def test_the_figures_of_the_real_engine_are_among_the_workers(endpoint: Endpoint) -> None:
    endpoint.direct.chat.completions.create(messages=ASK, **GREEDY)

    def told() -> dict[str, float]:
        text = client.get(f"http://127.0.0.1:{endpoint.worker.control_port}/metrics").text
        samples = (each for one in text_string_to_metric_families(text) for each in one.samples)
        return {each.name: each.value for each in samples}

    asked = "vllm_supervisor_engine_prefix_cache_queries_total"
    found = until(lambda: seen if (seen := told()).get(asked) else None, what="a look at it")
    assert found is not None
    assert {metric.full for metric in names.OF_ENGINE} <= set(found)
    assert 0 <= found["vllm_supervisor_engine_kv_cache_usage_ratio"] <= 1


def test_models_through_the_platform(endpoint: Endpoint) -> None:
    assert [model.id for model in endpoint.through.models.list()] == ["demo"]


def test_chat_is_the_same_token_for_token(endpoint: Endpoint) -> None:
    options: dict[str, Any] = {**GREEDY, "logprobs": True}
    straight = endpoint.direct.chat.completions.create(messages=ASK, **options).choices[0]
    relayed = endpoint.through.chat.completions.create(messages=ASK, **options).choices[0]
    assert straight.logprobs is not None
    assert relayed.logprobs is not None
    tokens = [token.token for token in straight.logprobs.content or ()]
    assert len(tokens) > 5
    assert [token.token for token in relayed.logprobs.content or ()] == tokens
    assert relayed.message.content == straight.message.content


def test_a_streamed_chat_is_the_same_too(endpoint: Endpoint) -> None:
    straight = streamed(endpoint.direct)
    assert straight
    assert streamed(endpoint.through) == straight


def test_usage_comes_at_the_end_of_a_stream(endpoint: Endpoint) -> None:
    chunks = list(
        endpoint.through.chat.completions.create(
            messages=ASK, stream=True, stream_options={"include_usage": True}, **GREEDY
        )
    )
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 5


@pytest.mark.parametrize("stream", [False, True])
def test_completions_are_the_same(endpoint: Endpoint, stream: bool) -> None:
    def text(client: openai.OpenAI) -> str:
        options: dict[str, Any] = {"prompt": "Hello", **GREEDY}
        if not stream:
            return str(client.completions.create(**options).choices[0].text)
        chunks = client.completions.create(stream=True, **options)
        return "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)

    assert text(endpoint.through) == text(endpoint.direct) != ""


def test_the_native_form_streams(endpoint: Endpoint) -> None:
    given = {
        "messages": ASK,
        "stream": True,
        "sampling_params": {"temperature": 0, "max_tokens": 48},
    }
    found = finished(endpoint, submit(endpoint, given))
    assert found["status"] == "COMPLETED"
    batches = found["output"]
    text = "".join(t for batch in batches for c in batch["choices"] for t in c["tokens"])
    assert text == streamed(endpoint.direct)
    assert batches[-1]["usage"]["input"] > 0
    assert batches[-1]["usage"]["output"] > 5


def test_the_native_form_in_one_piece(endpoint: Endpoint) -> None:
    given = {
        "prompt": "Who are you?",
        "apply_chat_template": True,
        "sampling_params": {"temperature": 0, "max_tokens": 48},
    }
    (answer,) = finished(endpoint, submit(endpoint, given))["output"]
    assert answer["choices"][0]["tokens"] == [streamed(endpoint.direct)]


def test_a_cancelled_job_frees_the_engine(endpoint: Endpoint) -> None:
    body = {"model": "demo", "messages": ASK, "stream": True, **LONG}
    job = submit(endpoint, {"openai_route": "/v1/chat/completions", "openai_input": body})
    stream = f"{endpoint.platform_url}/stream/{job}"
    until(lambda: client.get(stream).json()["stream"], what="the first tokens")
    assert endpoint.running() == 1
    client.post(f"{endpoint.platform_url}/cancel/{job}")
    until(lambda: endpoint.running() == 0, what="the end of the request", pause=0.2)
    assert status(endpoint, job)["status"] == "CANCELLED"


def test_many_streams_at_once_are_whole(endpoint: Endpoint) -> None:
    body = {"model": "demo", "prompt": "Hello", "stream": True, **LONG, "max_tokens": 64}
    given = {"openai_route": "/v1/completions", "openai_input": body}
    texts = set()
    for job in [submit(endpoint, given) for _ in range(8)]:
        found = finished(endpoint, job)
        assert found["status"] == "COMPLETED"
        lines = "".join(found["output"]).splitlines()
        chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
        texts.add("".join(choice["text"] for chunk in chunks for choice in chunk["choices"]))
    assert "" not in texts


@pytest.mark.parametrize("stream", [False, True])
def test_a_bad_request_reaches_the_client_as_openais_error(
    endpoint: Endpoint, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        endpoint.through.chat.completions.create(
            model="demo", messages=ASK, max_tokens=-1, stream=stream
        )
    body: Any = caught.value.body
    assert caught.value.status_code == 400
    assert "max_tokens" in body["message"]
    assert body["code"] == 400


def test_an_unknown_model_is_named(endpoint: Endpoint) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        endpoint.through.chat.completions.create(model="other", messages=ASK)
    assert "other" in str(caught.value)


@pytest.mark.parametrize("given", [{}, {"openai_route": "http://evil.example/v1/models"}])
def test_a_job_that_is_not_understood_fails_with_a_sentence(
    endpoint: Endpoint, given: dict[str, Any]
) -> None:
    found = finished(endpoint, submit(endpoint, given))
    assert found["status"] == "FAILED"
    error = json.loads(found["error"])
    assert error["type"] == "invalid_request_error"
    assert "Traceback" not in found["error"]


@pytest.mark.own_engine
def test_a_model_that_does_not_exist_ends_the_start_with_a_sentence(tmp_path: Any) -> None:
    """The real engine says it in a traceback; the worker's last line says what to do."""
    env = engine_environment(MODEL_NAME="nobody/there-is-no-such-model", HF_HUB_OFFLINE="1")
    worker = Worker(tmp_path / "log", {**env, "MAX_RESTARTS": "0"})
    try:
        assert worker.wait(_ENDS_WITHIN) in {70, 78}
        last = worker.text().strip().splitlines()[-1]
        assert "nobody/there-is-no-such-model" in last
        assert "MODEL_NAME" in last
        assert worker.left() == []
    finally:
        worker.end()


@pytest.mark.own_engine
@pytest.mark.parametrize(
    ("cause", "settings", "said"),
    [
        (
            "a value that the engine refuses",
            {"VLLM_CONFIG_FILE": "max-model-len: x"},  # what stands there is its own to read
            ("the engine refused its command line", "it said: argument --max-model-len"),
        ),
        (
            "an unknown architecture",
            {"HF_OVERRIDES": '{"architectures": ["NewForCausalLM"]}'},
            ("does not know the model's architecture (NewForCausalLM)", "newer vLLM"),
        ),
        (
            "a context that the memory does not hold",
            {"MAX_MODEL_LEN": "900000", "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1"},
            ("but 900000 are configured", "set MAX_MODEL_LEN to 262"),
        ),
    ],
)
def test_a_start_that_cannot_succeed_ends_at_once_with_cause_and_remedy(
    tmp_path: Path, cause: str, settings: dict[str, str], said: tuple[str, str]
) -> None:
    if text := settings.get("VLLM_CONFIG_FILE"):
        file = tmp_path / "engine.yaml"
        file.write_text(text)
        settings = {"VLLM_CONFIG_FILE": str(file)}
    worker = Worker(tmp_path / "log", engine_environment(**settings))
    try:
        assert worker.wait(_ENDS_WITHIN) == 78, cause
        last = worker.text().strip().splitlines()[-1]
        for part in said:
            assert part in last
        assert worker.left() == []
    finally:
        worker.end()


@pytest.mark.own_engine
def test_embeddings_of_a_pooling_model_in_queue_mode(tmp_path: Path) -> None:
    """The whole worker as the platform starts it: the supervisor spawns engine and proxy."""
    with Platform() as platform:
        environment = engine_environment(CONVERT="embed")
        worker = Worker(
            tmp_path / "log",
            {
                **environment,
                **worker_environment(platform.root),
                "VLLM_EXTRA_ARGS": "--runner=pooling",
            },
        )
        try:
            worker.until_ready(600)
            give_way(worker)
            with openai.OpenAI(
                base_url=f"{platform.url}/openai/v1", api_key="none", max_retries=0
            ) as user:
                for _ in range(20):
                    found = user.embeddings.create(model="demo", input=["one", "two", "one"])
                assert [entry.index for entry in found.data] == [0, 1, 2]
                assert found.data[0].embedding == pytest.approx(found.data[2].embedding, abs=1e-3)
                assert found.data[0].embedding != found.data[1].embedding
                with pytest.raises(openai.APIStatusError) as refused:
                    user.chat.completions.create(model="demo", messages=ASK)
                assert refused.value.status_code in {400, 404}
            assert worker.stop() == 0
            until(lambda: worker.left() == [], what="the end of every process")
        finally:
            worker.end()
