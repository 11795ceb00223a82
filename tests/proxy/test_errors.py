"""Errors as any OpenAI client reads them."""

from __future__ import annotations

import json

import pytest

from proxy.errors import (
    EngineRefused,
    EngineRestarted,
    ErrorInStream,
    InvalidInput,
    JobError,
    StreamBroken,
)
from proxy.errors.events import MESSAGES
from proxy.request.forms import CHAT


def test_an_error_as_an_object_as_text_and_as_an_event() -> None:
    error = InvalidInput("no prömpt", "prompt")
    expected = {
        "message": "no prömpt",
        "type": "invalid_request_error",
        "param": "prompt",
        "code": 400,
    }
    assert error.as_object() == expected
    assert json.loads(error.as_json()) == expected
    assert json.loads(error.as_event(CHAT).removeprefix("data: ")) == {"error": expected}
    assert error.as_event(MESSAGES).startswith("event: error\ndata: {")


@pytest.mark.parametrize(
    ("body", "message", "kind", "param"),
    [
        (
            {"error": {"message": "too long", "type": "BadRequestError", "param": "n"}},
            "too long",
            "BadRequestError",
            "n",
        ),
        ({"message": "flat", "type": "Old"}, "flat", "Old", None),
        ({"error": "Unauthorized"}, "Unauthorized", "engine_error", None),
        ({}, "the engine answered with status 418", "engine_error", None),
    ],
)
def test_what_the_engine_says_is_kept(
    body: object, message: str, kind: str, param: str | None
) -> None:
    error = EngineRefused(418, json.dumps(body).encode())
    assert (str(error), error.type, error.param, error.status) == (message, kind, param, 418)


def test_a_body_that_is_no_json_is_the_message() -> None:
    assert str(EngineRefused(502, b" Bad \xff gateway\n")) == "Bad \ufffd gateway"
    assert len(str(EngineRefused(502, b"x" * 10_000))) == 2003


def test_an_error_in_a_stream_keeps_the_outputs_that_hold_it() -> None:
    error = ErrorInStream(500, b'{"error": {"message": "boom"}}', ["a", "b"])
    assert error.last == ("a", "b")
    assert (str(error), error.status) == ("boom", 500)
    assert isinstance(error, EngineRefused)


def test_a_lost_engine_is_a_broken_answer() -> None:
    """What is caught as one is caught as the other."""
    assert issubclass(EngineRestarted, StreamBroken)
    assert issubclass(StreamBroken, JobError)
    assert EngineRestarted("x").as_object()["code"] == 502
