"""What the real engine says of its routes, and what a job hears that it does not know."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.request import routes, schema
from proxy.request.unknown import WELL_KNOWN
from supervisor.settings.routes import OFFERED
from tests import client
from tests.e2e.conftest import Endpoint
from tests.processes import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

ASK: Any = [{"role": "user", "content": "Who are you?"}]


def test_what_is_known_without_asking_is_what_it_says(endpoint: Endpoint) -> None:
    found = schema.parsed(client.get(f"{endpoint.engine_url}/openapi.json").content)
    assert found is not None
    for route in ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"):
        assert WELL_KNOWN[route] <= (found.names[route] or frozenset()), route
    for route in OFFERED & found.methods.keys():
        assert found.methods[route] == routes.methods(route), route


def job(endpoint: Endpoint, given: Any) -> dict[str, Any]:
    """What becomes of a job."""
    body = json.dumps({"input": given})
    headers = {"Content-Type": "application/json"}
    asked = client.post(f"{endpoint.platform_url}/run", content=body, headers=headers).json()
    status = f"{endpoint.platform_url}/status/{asked['id']}"

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(status).json()
        return found if found["status"] in {"COMPLETED", "FAILED"} else None

    return until(ended, what="the end of the job") or {}


@pytest.mark.parametrize(
    ("sampling", "param", "says"),
    [
        ({"temprature": 1}, "temprature", "(did you mean temperature?)"),
        ({"guided_whitespace_pattern": " "}, "guided_whitespace_pattern", "structured_outputs"),
        ({"extra_body": {"top_k": 1}}, "extra_body", "argument of the OpenAI client"),
        ({"top_k": 10**20}, "top_k", "64 bits"),  # which the engine answers with an empty 500
        ({"stop": ["\ud83d"]}, "stop.0", "surrogate pair"),  # and this
        ({"guided_regex": "a"}, "guided_regex", "has no effect in vLLM"),
    ],
)
@pytest.mark.parametrize("form", [{"prompt": "Who"}, {"messages": ASK}], ids=["prompt", "chat"])
def test_a_mistake_in_sampling_params_is_named(
    endpoint: Endpoint, form: dict[str, Any], sampling: dict[str, Any], param: str, says: str
) -> None:
    found = job(endpoint, {**form, "sampling_params": sampling})
    error = json.loads(found["error"])
    assert (found["status"], error["code"], error["param"]) == ("FAILED", 400, param)
    assert says in error["message"]


@pytest.mark.parametrize(
    "given",
    [
        {"openai_input": {"messages": ASK, "temprature": 1, "max_tokens": 4}},
        {"messages": ASK, "temprature": 1, "sampling_params": {"max_tokens": 4}},
        {"messages": ASK, "sampling_params": {"max_tokens": 4, "add_generation_prompt": True}},
        {"prompt": "x", "sampling_params": {"max_tokens": 4, "bad_words": ["x"], "min_p": 0.1}},
        {"openai_input": {"prompt": "x", "max_tokens": 4}},
    ],
)
def test_the_others_are_answered(endpoint: Endpoint, given: dict[str, Any]) -> None:
    found = job(endpoint, given)
    assert found["status"] == "COMPLETED", found


def test_a_key_of_the_native_form_reaches_it(endpoint: Endpoint) -> None:
    found = job(endpoint, {"prompt": "The", "max_tokens": 40, "ignore_eos": True})
    assert found["output"][0]["usage"]["output"] == 40
