"""Names that an engine does not know: what is said of them, and where they are an error."""

from __future__ import annotations

from typing import Any

import pytest

from proxy import settings
from proxy.errors import InvalidInput
from proxy.request import forms, schema, unknown
from tests.proxy.request.test_schema import REAL

SCHEMA = schema.parsed(REAL)
CHAT, COMPLETIONS = forms.CHAT, forms.COMPLETIONS


def read(given: Any, **environment: str) -> forms.Request:
    return forms.read({"id": "1", "input": given}, settings.read(environment))


def settle(given: Any, *, strict: bool = False, **environment: str) -> unknown.Settled:
    return unknown.settle(read(given, **environment), SCHEMA, strict=strict)


def prompt(**sampling: Any) -> dict[str, Any]:
    return {"prompt": "x", "sampling_params": sampling}


@pytest.mark.parametrize(
    ("given", "param", "says"),
    [
        (prompt(temprature=1), "temprature", "temprature (did you mean temperature?)"),
        (prompt(max_new_tokens=9), "max_new_tokens", "did you mean max_tokens?"),
        (prompt(max_length=9), "max_length", "did you mean max_tokens?"),
        (prompt(TOP_K=9), "TOP_K", "did you mean top_k?"),
        (prompt(zzz=9), "zzz", "/openapi.json lists the names"),
        (prompt(extra_body={}), "extra_body", "its entries belong beside the others"),
        (prompt(tools=[]), "tools", "/v1/completions of this engine does not know tools"),
        (prompt(topk=1, zzz=1, temp=1), "topk", "topk (did you mean top_k?), zzz, temp"),
        (prompt(zzz=1, extra_body={}), "zzz", "zzz, extra_body (it is an argument of"),
        (prompt(**{f"z{i}": 1 for i in range(9)}), "z0", "z0, z1, z2 and 6 more; "),
        (prompt(**{"x" * 5_000: 1}), "x" * 100 + "...", "x" * 100 + "...; "),
        ({"messages": [{}], "sampling_params": {"prompt_embeds": 1}}, "prompt_embeds", CHAT),
    ],
)
def test_in_sampling_params_it_is_an_error(given: Any, param: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        settle(given)
    assert caught.value.param == param
    assert says in str(caught.value)
    assert len(str(caught.value)) < 500


ELSEWHERE = [
    ({"prompt": "x", "temprature": 1}, "temprature", "(did you mean temperature?)"),
    ({"openai_input": {"messages": [{}], "extra_body": {}}}, "extra_body", "extra_body"),
    ({"route": "/tokenize", "body": {"promt": "x"}}, "promt", "did you mean prompt?"),
    (
        {"route": CHAT, "body": {"messages": [{}]}, "temperature": 1},
        "temperature",
        "beside it: temperature",
    ),
    ({"route": "/v1/models", "body": {"x": 1}}, "x", "no parameters with a GET: x"),
]


@pytest.mark.parametrize(("given", "param", "says"), ELSEWHERE)
def test_elsewhere_it_is_a_remark_or_an_error_where_that_is_asked_for(
    given: Any, param: str, says: str
) -> None:
    assert says in (settle(given).remark or "")
    with pytest.raises(InvalidInput) as caught:
        settle(given, strict=True)
    assert caught.value.param == param
    assert says in str(caught.value)


def test_both_kinds_are_remarked() -> None:
    given = {"route": COMPLETIONS, "body": {"prompt": "x", "temprature": 1}, "zzz": 1}
    remark = settle(given).remark or ""
    assert "did you mean temperature?); the engine gets the body, and" in remark
    assert "beside it: zzz" in remark


@pytest.mark.parametrize(
    "given",
    [
        prompt(temperature=1, structured_outputs={}, bad_words=["x"], stream=True, model="m"),
        {"messages": [{}], "sampling_params": {"add_generation_prompt": True, "logprobs": 2}},
        {"prompt": "x", "min_batch_size": 1, "webhook": "https://x", "policy": {}, "id": "a"},
        {"openai_input": {"messages": [{}], "stream": True, "stream_options": {}}},
        {"route": "/invocations", "body": {"anything": 1}},  # any name may stand there
        {"route": "/v1/embeddings", "body": {"inptu": 1}},  # not served by this engine
        {"openai_route": "/v1/models", "openai_input": {}},
    ],
)
def test_what_is_known_is_not_spoken_of(given: Any) -> None:
    assert settle(given, strict=True, ALLOWED_ROUTES="/invocations").remark is None


def test_without_a_schema_nothing_is_known() -> None:
    request = read(prompt(temprature=1))
    assert unknown.settle(request, None, strict=True) == unknown.Settled(request)


def test_who_needs_a_schema() -> None:
    """Not what most ask for: vLLM takes a second to write the first one."""
    chat: dict[str, Any] = {"messages": [{}], "stream": True, "temperature": 0, "max_tokens": 9}
    assert not unknown.needs_schema(read({"openai_input": chat}))
    assert not unknown.needs_schema(read({"prompt": "x", "stream": True}))
    assert not unknown.needs_schema(read({"route": "/v1/models"}))
    assert not unknown.needs_schema(read({"route": "/v1/embeddings", "body": {"input": "x"}}))
    assert unknown.needs_schema(read({"openai_input": {**chat, "temprature": 1}}))
    assert unknown.needs_schema(read({"route": "/sleep"}, ALLOWED_ROUTES="/sleep"))


@pytest.mark.parametrize(
    ("given", "method"),
    [
        ({"route": "/invocations"}, "POST"),
        ({"route": "/metrics"}, "GET"),
        ({"route": "/metrics", "method": "GET"}, "GET"),
        ({"route": "/elsewhere"}, "GET"),
        ({"route": "/elsewhere", "body": {"x": 1}}, "POST"),
    ],
)
def test_a_route_that_is_added_has_the_method_that_its_engine_says(given: Any, method: str) -> None:
    allowed = "/invocations /metrics /elsewhere"
    assert settle(given, ALLOWED_ROUTES=allowed).request.method == method


def test_the_other_method_is_refused() -> None:
    given = {"route": "/metrics", "method": "post"}
    with pytest.raises(InvalidInput, match="/metrics takes GET, not POST") as caught:
        settle(given, ALLOWED_ROUTES="/metrics")
    assert caught.value.param == "method"
