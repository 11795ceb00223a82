"""What an engine says of its routes, from a real engine's own document and from odd ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.request import routes, schema
from proxy.request.schema import Schema
from proxy.request.unknown import WELL_KNOWN
from supervisor.settings.routes import OFFERED

REAL = Path(__file__).with_name("openapi-0.32.0.json").read_bytes()


def real() -> Schema:
    found = schema.parsed(REAL)
    assert found is not None
    return found


def test_the_real_one() -> None:
    found = real()
    chat = found.names["/v1/chat/completions"]
    assert chat is not None
    assert {"messages", "temperature", "structured_outputs"} <= chat
    assert chat.isdisjoint({"prompt", "guided_json", "best_of", "extra_body"})
    assert found.names["/tokenize"] == chat_or_prompt(), "of each alternative"
    assert found.names["/invocations"] is None, "any"
    assert found.names["/v1/models"] is None
    assert found.methods["/ping"] == ("GET", "POST")
    assert found.methods["/metrics"] == ("GET",)


def chat_or_prompt() -> frozenset[str]:
    schemas = json.loads(REAL)["components"]["schemas"]
    chat, prompt = schemas["TokenizeChatRequest"], schemas["TokenizeCompletionRequest"]
    return frozenset(chat["properties"]) | frozenset(prompt["properties"])


def test_what_is_known_without_a_schema_is_what_the_real_one_says() -> None:
    found = real()
    for route, names in WELL_KNOWN.items():
        assert names <= (found.names.get(route) or names), route
    for route in OFFERED & found.methods.keys():
        assert found.methods[route] == routes.methods(route), route


def one(body: Any, **components: Any) -> frozenset[str] | None:
    """The names in a document with this schema of a body."""
    content = {"application/json": {"schema": body}}
    post = {"requestBody": {"content": content}}
    document = {"paths": {"/x": {"post": post}}, "components": {"schemas": components}}
    found = schema.parsed(json.dumps(document).encode())
    assert found is not None
    assert found.methods == {"/x": ("POST",)}
    return found.names["/x"]


A = {"type": "object", "properties": {"a": {}}}
B = {"type": "object", "properties": {"b": {}}, "additionalProperties": True}
REF = {"$ref": "#/components/schemas/A"}


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (A, {"a"}),
        (B, {"b"}),  # more may follow, and is ignored
        (REF, {"a"}),
        ({"allOf": [REF, B]}, {"a", "b"}),
        ({"anyOf": [REF, {"type": "null"}]}, {"a"}),
        ({"oneOf": [{"anyOf": [REF]}, B], **A}, {"a", "b"}),
        # any name may stand there, or nobody knows
        ({"type": "object"}, None),
        ({**A, "additionalProperties": {"type": "string"}}, None),
        ({"anyOf": [REF, {"type": "object"}]}, None),
        ({"$ref": "#/components/schemas/Missing"}, None),
        ({"$ref": "#/components/schemas/Circle"}, None),
        ({"$ref": 5}, None),
        ([], None),
        ("x", None),
        (True, None),
    ],
)
def test_names(body: Any, names: set[str] | None) -> None:
    circle = {"allOf": [{"$ref": "#/components/schemas/Circle"}]}
    assert one(body, A=A, Circle=circle) == names


def test_a_form_has_names_too() -> None:
    content = {"multipart/form-data": {"schema": A}}
    document = {"paths": {"/x": {"post": {"requestBody": {"content": content}}}}}
    found = schema.parsed(json.dumps(document).encode())
    assert found == Schema({"/x": ("POST",)}, {"/x": frozenset({"a"})})


@pytest.mark.parametrize(
    "document",
    [b"", b"<html>", b"[]", b"5", b"{}", b'{"paths": 5}', b"\xff", b"[" * 100_000, b"NaN"],
)
def test_what_is_no_document(document: bytes) -> None:
    assert schema.parsed(document) is None


def test_paths_that_vary_and_odd_ones_are_left_out() -> None:
    document = b'{"paths": {"/v1/responses/{id}": {"get": {}}, "/x": 5, "/y": {"post": []}}}'
    assert schema.parsed(document) == Schema({"/y": ("POST",)}, {"/y": None})


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just("#/components/schemas/A"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["$ref", "anyOf", "allOf", "properties", "additionalProperties", "type"]
            ),
            inner,
        )
    ),
    max_leaves=20,
)


@given(JSON, JSON)
def test_any_schema_is_read_without_a_fault(body: Any, component: Any) -> None:
    found = one(body, A=component)
    assert found is None or all(isinstance(name, str) for name in found)
