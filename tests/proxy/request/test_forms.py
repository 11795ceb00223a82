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


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({"max_tokens": 64}, {"max_tokens": 64}),
        ({"max_tokens": 64, "sampling_params": {"max_tokens": 3}}, {"max_tokens": 3}),
        ({"top_k": 3, "user": "me"}, {"max_tokens": 16, "top_k": 3, "user": "me"}),
        ({"webhook": "https://x", "policy": {}, "id": "a"}, {"max_tokens": 16}),
        ({"min_batch_size": 2, "use_openai_format": True}, {"max_tokens": 16}),
        (
            {"temperature": None, "sampling_params": {"seed": None}},
            {"max_tokens": 16, "seed": None},
        ),
        ({"model": "a", "sampling_params": {"model": "b"}}, {"max_tokens": 16, "model": "a"}),
    ],
)
def test_keys_that_the_native_form_does_not_list_go_to_the_engine(
    given: dict[str, Any], body: dict[str, Any]
) -> None:
    request = read({"prompt": "x", **given})
    assert request.body == {**body, "prompt": "x"}
    assert request.sampling == frozenset(given.get("sampling_params") or {})
    assert request.unsent == ()


@pytest.mark.parametrize(
    "given",
    [
        {"prompt": "x", "traceparent": "t", "tracestate": "s"},
        {"prompt": "x", "sampling_params": {"traceparent": "t"}},
        {"openai_input": {"prompt": "x", "traceparent": "t"}, "tracestate": "s"},
        {"route": "/v1/models", "method": "GET", "body": {"traceparent": "t"}},
        {"route": "/tokenize", "body": {"prompt": "x", "tracestate": "s"}},
    ],
)
def test_a_callers_trace_is_no_parameter(given: dict[str, Any]) -> None:
    request = read(given)
    assert not {"traceparent", "tracestate"} & {*request.body, *request.unsent}


def test_keys_beside_a_body_are_not_sent() -> None:
    """A client's body is whole as it is."""
    body = {"model": "m", "input": "x"}
    forms_of_it: list[dict[str, Any]] = [
        {"openai_route": "/v1/embeddings", "openai_input": body},
        {"route": "/v1/embeddings", "body": body},
    ]
    for form in forms_of_it:
        request = read({**form, "stream": True, "policy": {}, "zzz": None})
        assert (request.body, request.unsent) == (body, ("stream",))
        assert not request.stream


def test_the_native_form_in_streams() -> None:
    """The key of the form itself wins over those that go to the engine."""
    options = {"include_usage": True, "continuous_usage_stats": True}
    streams: list[dict[str, Any]] = [
        {"stream": True},
        {"stream": "true"},
        {"stream": None, "sampling_params": {"stream": 1}},
        {"stream": True, "sampling_params": {"stream": False}},
        {"stream": True, "stream_options": {"include_usage": False}},
    ]
    for given in streams:
        request = read({"prompt": "x", **given})
        assert request.stream, given
        assert request.body["stream_options"] == options
    others: list[dict[str, Any]] = [
        {"stream": False, "sampling_params": {"stream": True}},
        {"stream": None},
    ]
    for given in others:
        request = read({"prompt": "x", **given})
        assert not request.stream
        assert "stream_options" not in request.body


# --- what older and other workers accept ---


@pytest.mark.parametrize(
    ("body", "route"),
    [
        ({"messages": [{}]}, "/v1/chat/completions"),
        ({"prompt": "x"}, "/v1/completions"),
        ({"prompt": "x", "messages": [{}]}, "/v1/chat/completions"),
        ({"input": "x"}, "/v1/chat/completions"),
    ],
)
@pytest.mark.parametrize("beside", [{}, {"openai_route": None}, {"openai_route": ""}])
def test_openai_input_without_a_route(
    body: dict[str, Any], route: str, beside: dict[str, Any]
) -> None:
    request = read({"openai_input": body, **beside})
    assert (request.method, request.route, request.body) == ("POST", route, body)


def test_null_counts_as_not_given() -> None:
    nothing = dict.fromkeys(
        """
        messages apply_chat_template sampling_params stream model min_batch_size max_batch_size
        batch_size_growth_factor openai_route openai_input route method body top_k
        """.split()
    )
    assert read({"prompt": "x", **nothing}) == read({"prompt": "x"})
    routed = {"route": "/v1/models"}
    assert read({**routed, "method": None, "body": None, "prompt": None}) == read(routed)


def test_a_batch_parameter_of_0_means_its_default() -> None:
    names = ("min_batch_size", "max_batch_size", "batch_size_growth_factor")
    assert read({"prompt": "x", **dict.fromkeys(names, 0)}).ramp == Ramp()


# --- methods ---


@pytest.mark.parametrize("said", [None, "GET", "get"])
@pytest.mark.parametrize("body", [None, {}, {"stream": True}])
def test_a_route_that_is_read_stays_a_get(said: str | None, body: dict[str, Any] | None) -> None:
    for route in ("/v1/models", "/v1/responses/resp_1", "/openai/v1/models"):
        request = read({"route": route, "method": said, "body": body})
        assert (request.method, request.body, request.content) == ("GET", {}, None)
        assert not request.stream
        assert request.unsent == tuple(body or ())


def test_a_route_that_is_asked_stays_a_post() -> None:
    """Also without a body: the engine says what is missing."""
    request = read({"openai_route": "/v1/chat/completions"})
    assert (request.method, request.content) == ("POST", b"{}")


@pytest.mark.parametrize("model", [None, ""])
def test_no_model_is_the_served_one(model: str | None) -> None:
    assert "model" not in read({"openai_input": {"messages": [{}], "model": model}}).body


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
        ({"prompt": "x", "max_batch_size": -1}, "max_batch_size"),
        ({"prompt": "x", "sampling_params": {"stream": "please"}}, "stream"),
        ({"openai_input": {"messages": [], "stream": 2}}, "stream"),
        ({"openai_input": "x"}, "openai_input"),
        ({"openai_input": {}}, "input"),
        ({"openai_input": None, "openai_route": None, "route": ""}, "input"),
        ({"route": "/v1/chat/completions", "method": "get"}, "method"),
        ({"openai_input": {"messages": [{"content": "\ud83d"}]}}, "messages.0.content"),
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
