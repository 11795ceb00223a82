"""Jobs whose callers made a mistake: each gets a sentence that names it, and no traceback comes.

The real SDK takes them from the platform's emulator, and a stand-in engine answers.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pytest

from tests import client
from tests.endpoint import Platform
from tests.processes import FAKE_VLLM, free_port, until
from tests.proxy.test_process import Proxy

CHAT = "/v1/chat/completions"
ASK = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform() as one:
        yield one


@pytest.fixture(scope="module")
def proxy(
    platform: Platform, fake_engine: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    with Proxy(platform, fake_engine, tmp_path_factory.mktemp("proxy") / "log") as one:
        yield one


def submit(platform: Platform, given: Any) -> str:
    """Put a job into the queue, whatever is in it; its id."""
    content = json.dumps({"input": given})
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"{platform.url}/run", content=content, headers=headers)
    return str(answer.json()["id"])


def refused(platform: Platform, given: Any) -> dict[str, Any]:
    """The error of a job that fails."""
    job = submit(platform, given)
    error: dict[str, Any] = json.loads(platform.until(job, "FAILED")["error"])
    return error


def nested(levels: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(levels):
        inner = [inner]
    return inner


MISTAKES: dict[str, tuple[dict[str, Any], str | None, str]] = {
    "half a character": (
        {
            "openai_route": CHAT,
            "openai_input": {"messages": [{"role": "user", "content": "\ud83d"}]},
        },
        "messages.0.content",
        "half of a surrogate pair",
    ),
    "half a character in a name": (
        {"prompt": "x", "logit_bias": {"\udc00": 1}},
        r"logit_bias.\udc00",
        "is a name with half a surrogate pair",
    ),
    "infinity": (
        {"prompt": "x", "sampling_params": {"temperature": float("inf")}},
        "temperature",
        "temperature is inf",
    ),
    "nan": (
        {"openai_input": {"messages": ASK, "logit_bias": {"5": float("nan")}}},
        "logit_bias.5",
        "is nan",
    ),
    "depth": (
        {"route": "/v1/embeddings", "body": {"input": nested(400)}},
        "input",
        "more than 300 objects and lists",
    ),
    "a long number": (
        {"prompt": "x", "sampling_params": {"top_k": 10**400}},
        "top_k",
        "more than 64 bits",
    ),
    "a long number inside": (
        {"openai_input": {"messages": ASK, "tools": [{"maximum": 10**400}]}},
        "tools.0.maximum",
        "401 digits",
    ),
    "a long batch": ({"prompt": "x", "max_batch_size": 10**400}, "max_batch_size", "less than"),
    "a long growth": (
        {"prompt": "x", "batch_size_growth_factor": 10**400},
        "batch_size_growth_factor",
        "valid number",
    ),
    "best_of with n as text": (
        {"prompt": "x", "sampling_params": {"best_of": 5, "n": "3"}},
        "best_of",
        "best_of=5 has no effect",
    ),
    "stream as a word": (
        {"prompt": "x", "sampling_params": {"stream": "please"}},
        "stream",
        "'please' is neither true nor false",
    ),
    "stream as a word, in a body": (
        {"openai_input": {"messages": ASK, "stream": "please"}},
        "stream",
        "neither true nor false",
    ),
    "an unknown parameter": (
        {"prompt": "x", "sampling_params": {"temprature": 1}},
        "temprature",
        "does not know temprature (did you mean temperature?)",
    ),
    "a parameter of an older engine": (
        {"messages": ASK, "sampling_params": {"guided_whitespace_pattern": " "}},
        "guided_whitespace_pattern",
        "structured_outputs",
    ),
    "what a client unpacks": (
        {"prompt": "x", "sampling_params": {"extra_body": {"top_k": 1}}},
        "extra_body",
        "argument of the OpenAI client",
    ),
    "a POST to what is read": (
        {"route": "/v1/models", "method": "post", "body": {}},
        "method",
        "takes GET, not POST",
    ),
}


@pytest.mark.parametrize(("given", "param", "says"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_is_named(
    platform: Platform, proxy: Proxy, given: Any, param: str | None, says: str
) -> None:
    error = refused(platform, given)
    assert (error["code"], error["type"]) == (400, "invalid_request_error")
    assert error["param"] == param
    assert says in error["message"]
    assert len(error["message"]) < 500
    assert "Traceback" not in proxy.log.read_text()


@pytest.mark.parametrize(
    "route",
    ["/v1/" + "x" * 5_000_000, "/v1/models/" + "x" * 5_000_000],
    ids=["any", "of a pattern"],
)
def test_a_route_of_any_length_is_refused_and_cut(
    platform: Platform, proxy: Proxy, route: str
) -> None:
    error = refused(platform, {"route": route})
    assert (error["code"], error["param"]) == (403, "route")
    assert len(error["message"]) < 300
    assert max(map(len, proxy.log.read_text().splitlines())) < 2000


def test_what_is_no_mistake_is_answered(platform: Platform, proxy: Proxy) -> None:
    jobs = {
        submit(platform, {"openai_input": {"messages": ASK, "max_tokens": 2}}): "w0",
        submit(platform, {"openai_input": {"prompt": "x", "max_tokens": 2}}): "w0",
        submit(platform, {"route": "/v1/models", "method": "get"}): "tiny",
        submit(platform, {"route": "/openai/v1/models", "body": {"stream": True}}): "tiny",
        submit(platform, {"prompt": "x", "max_tokens": 64}): "w63",
        submit(platform, {"prompt": "x", "best_of": 2, "n": "3"}): "w0",
        submit(platform, {"prompt": "x", "sampling_params": {"stream": "true"}}): "w15",
        submit(platform, {"openai_input": {"prompt": "x", "stream": "true"}}): "[DONE]",
        submit(platform, {"prompt": "x", "sampling_params": None, "stream": None}): "w15",
    }
    for job, says in jobs.items():
        assert says in json.dumps(platform.until(job, "COMPLETED")["output"])
    assert "Traceback" not in proxy.log.read_text()


def test_an_unknown_name_elsewhere_is_a_line_of_the_jobs_log(
    platform: Platform, proxy: Proxy
) -> None:
    job = submit(platform, {"openai_input": {"messages": ASK, "temprature": 1, "y" * 300: 2}})
    platform.until(job, "COMPLETED")
    (line,) = re.findall(rf".*job {job}: /v1/chat.* does not know .*", proxy.log.read_text())
    assert "temprature (did you mean temperature?)" in line
    assert len(line) < 500


def test_strict_parameters_refuse_it(fake_engine: str, tmp_path: Path) -> None:
    with Platform() as other, Proxy(other, fake_engine, tmp_path / "log", STRICT_PARAMETERS="1"):
        for given in (
            {"openai_input": {"messages": ASK, "temprature": 1}},
            {"prompt": "x", "temprature": 1},
            {"route": "/v1/completions", "body": {"prompt": "x"}, "temprature": 1},
        ):
            error = refused(other, given)
            assert (error["code"], error["param"]) == (400, "temprature")


def test_an_engine_without_a_schema_gets_every_name(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, str(FAKE_VLLM), "serve", "tiny", "--disable-fastapi-docs"]
    engine = subprocess.Popen([*command, "--host=127.0.0.1", f"--port={port}"], stderr=DEVNULL)
    try:
        until(lambda: client.answers(f"{url}/health"), what="the stand-in")
        assert client.get(f"{url}/openapi.json").status_code == 404
        with (
            Platform() as platform,
            Proxy(platform, url, tmp_path / "log", STRICT_PARAMETERS="1"),
        ):
            job = submit(platform, {"prompt": "x", "sampling_params": {"temprature": 1}})
            platform.until(job, "COMPLETED")
    finally:
        engine.kill()
        engine.wait()
