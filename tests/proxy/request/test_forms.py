"""The three forms of a job's input."""

from __future__ import annotations

from typing import Any

import pytest

from proxy import settings
from proxy.errors import InvalidInput, RouteRefused
from proxy.request import forms
from proxy.settings import Ramp

SETTINGS = settings.read({})


def read(given: Any) -> forms.Request:
    return forms.read({"id": "1", "input": given}, SETTINGS)


def test_the_openai_form() -> None:
    body = {"model": "m", "messages": [], "stream": True, "extra": 1}
    request = read({"openai_route": "/v1/chat/completions", "openai_input": body})
    assert (request.method, request.route, request.body) == ("POST", "/v1/chat/completions", body)
    assert request.stream
    assert not request.native


@pytest.mark.parametrize("body", [{}, {"openai_input": None}, {"openai_input": {}}])
def test_a_get_has_no_body(body: dict[str, Any]) -> None:
    assert read({"openai_route": "/v1/models", **body}).method == "GET"


def test_the_route_form() -> None:
    request = read({"route": "/v1/embeddings", "method": "POST", "body": {"input": "x"}})
    assert (request.method, request.route, request.body) == (
        "POST",
        "/v1/embeddings",
        {"input": "x"},
    )


def test_the_native_form_with_a_prompt() -> None:
    request = read({"prompt": "hi", "sampling_params": {"temperature": 0, "top_k": 3}})
    assert request.route == "/v1/completions"
    assert request.body == {"max_tokens": 16, "temperature": 0, "top_k": 3, "prompt": "hi"}
    assert request.native


def test_the_native_form_with_messages_and_template() -> None:
    chat = [{"role": "user", "content": "hi"}]
    assert read({"messages": chat, "prompt": "no"}).body["messages"] == chat
    request = read({"prompt": "hi", "apply_chat_template": True, "stream": True})
    assert request.route == "/v1/chat/completions"
    assert request.body["messages"] == chat
    assert request.body["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}


def test_the_native_form_has_a_ramp_of_its_own() -> None:
    given = {"prompt": "x", "max_batch_size": 8, "min_batch_size": 2, "batch_size_growth_factor": 2}
    assert read(given).ramp == Ramp(first=2, growth=2.0, most=8)
    assert read({"prompt": "x"}).ramp == Ramp()


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (None, "input"),
        ("text", "input"),
        ({}, "input"),
        ({"prompt": "", "messages": []}, "input"),
        ({"prompt": 5}, "prompt"),
        ({"messages": "hi"}, "messages"),
        ({"prompt": "x", "sampling_params": []}, "sampling_params"),
        ({"prompt": "x", "max_batch_size": 0}, "max_batch_size"),
        ({"openai_route": 1}, "openai_route"),
        ({"openai_route": "/v1/models", "openai_input": "x"}, "openai_input"),
        ({"route": "/v1/models", "method": "DELETE"}, "method"),
    ],
)
def test_what_is_wrong_is_named(given: Any, param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(given)
    error = caught.value.as_object()
    assert (error["param"], error["code"], error["type"]) == (param, 400, "invalid_request_error")


def test_a_route_that_is_no_path() -> None:
    with pytest.raises(RouteRefused):
        read({"openai_route": "http://evil.example/v1/models"})
