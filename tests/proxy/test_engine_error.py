"""The error of an engine, however it is written, as one sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import engine_error
from proxy.errors import EngineRefused, ErrorInStream
from proxy.stream import sse

STATUS = "the engine answered with status 400"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": ["one", {"message": "two"}]}, "one; two"),
        ({"error": 7}, f'{STATUS}: {{"error": 7}}'),
        ({"error": 7, "message": "flat"}, "flat"),
        ({"error": None}, f'{STATUS}: {{"error": null}}'),
        ({"error": None, "detail": "why"}, "why"),
        ({"error": True, "message": "flat"}, "flat"),
        ({"error": "short", "message": "a sentence"}, "a sentence"),
        ({"error": {"error": {"message": "inner"}}}, "inner"),
        ({"error": {"message": {"message": "deep"}}}, "deep"),
        ({"error": {"message": ["a", "b"]}}, "a; b"),
        ({"error": {"detail": "why"}, "message": "outer"}, "why"),
        ({"error": {"message": None, "detail": "why"}}, "why"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"loc": ["body", "n"], "msg": "no number"}]}, "n: no number"),
        ({"detail": [{"loc": [], "msg": "no"}, {"loc": ["body"], "msg": "bad"}]}, "no; body: bad"),
        (
            {"detail": [{"loc": ["body", "x", 3], "msg": "m"}] * 9},
            "; ".join(["x.3: m"] * 5 + ["and 4 more"]),
        ),
        ([{"message": "in a list"}], "in a list"),
        ([1, 2], f"{STATUS}: [1, 2]"),
        ("text", "text"),
        (5, f"{STATUS}: 5"),
        (None, STATUS),
        ([], STATUS),
        ("", STATUS),
    ],
)
def test_a_sentence_is_found(body: Any, message: str) -> None:
    assert engine_error.read(400, json.dumps(body).encode()).message == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", STATUS),
        (b" \n", STATUS),
        (b"Internal Server Error", "Internal Server Error"),
        (
            b"<html><head><title>502 Bad Gateway</title></head><body><h1>x</h1></body></html>",
            "502 Bad Gateway",
        ),
        (b"<!DOCTYPE html><style>a{b}</style><body>\n<h1>Oh</h1> <p>no", "Oh no"),
        (b"<html></html>", STATUS),
        (b'{"error": {"message": "cut o', '{"error": {"message": "cut o'),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_what_is_no_json_is_read_as_a_person_would(body: bytes, message: str) -> None:
    assert engine_error.read(400, body).message == message


def test_the_place_of_a_fault_is_its_parameter() -> None:
    body = {"detail": [{"loc": ["body", "messages", 0], "msg": "Field required", "type": "x"}]}
    told = engine_error.read(422, json.dumps(body).encode())
    assert (told.message, told.param) == ("messages.0: Field required", "messages.0")
    nested = {"error": [{"message": "m", "type": "T", "param": 3}]}
    told = engine_error.read(400, json.dumps(nested).encode())
    assert (told.type, told.param) == ("T", "3")


def test_text_of_the_engine_is_cut() -> None:
    body = {"error": {"message": "m" * 10**6, "type": "t\n" * 10**6, "param": ["p"] * 10**6}}
    told = engine_error.read(400, json.dumps(body).encode()[:990_000])
    assert len(told.message) < 2100
    body = {"error": {"message": "m" * 9000, "type": "t\n" * 900, "param": ["p"] * 900}}
    told = engine_error.read(400, json.dumps(body).encode())
    assert len(told.message) < 2100
    assert len(told.type) <= 103
    assert len(told.param or "") <= 103
    assert "\n" not in told.type


@pytest.mark.parametrize(
    ("status", "body", "asked", "said"),
    [
        (404, {"detail": "Not Found"}, "POST /v1/embeddings", "has no route /v1/embeddings for"),
        (
            405,
            {"detail": "Method Not Allowed"},
            "POST /v1/models",
            "does not take POST; ask for it by GET",
        ),
        (
            405,
            {"detail": "Method Not Allowed"},
            "GET /tokenize",
            "does not take GET; ask for it by POST",
        ),
        (404, {"detail": "Not Found"}, "", "Not Found"),
        (
            404,
            {"error": {"message": "The model `x` does not exist."}},
            "POST /v1/x",
            "The model `x`",
        ),
        (
            501,
            {"error": {"message": "The model does not support Transcriptions API"}},
            "POST /v1/audio/transcriptions",
            "The model does not support",
        ),
    ],
)
def test_a_route_that_the_engine_has_not_is_named(
    status: int, body: Any, asked: str, said: str
) -> None:
    told = engine_error.read(status, json.dumps(body).encode(), asked)
    assert said in told.message
    assert told.message.startswith(("the engine", "The model", "Not Found"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from("error message detail type param code loc msg object".split()), inner
        )
    ),
    max_leaves=20,
)


@given(body=VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=300))
def test_no_error_is_a_traceback(body: bytes) -> None:
    for error in (EngineRefused(400, body, "POST /x"), ErrorInStream(sse.status(body), body, [])):
        assert str(error).strip()
        assert len(str(error)) < 2100
        told = error.as_object()
        assert isinstance(told["type"], str)
        assert isinstance(told["param"], str | None)
        assert 400 <= told["code"] <= 599
        json.loads(error.as_json())
    event = b"data: " + body.replace(b"\n", b" ") + b"\n\n"
    sse.tokens(event)
    if (data := sse.error(event)) is not None:
        assert 400 <= sse.status(data) <= 599


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"error":' * 100_000, b"9" * 10_000])
def test_what_no_parser_takes_is_cut_text(body: bytes) -> None:
    assert len(str(EngineRefused(400, body))) < 2100
    assert sse.status(body) == 500
    assert sse.error(b"data: " + body + b"\n\n") is None
