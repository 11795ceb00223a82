"""Errors as the clients of a route read them inside a stream."""

from __future__ import annotations

import json

import httpx2
import openai
import pytest

from proxy.errors.events import MESSAGES, event
from proxy.request.forms import CHAT, COMPLETIONS
from proxy.stream import sse

RESPONSES = "/v1/responses"
ERROR = {"message": "the ënd", "type": "engine_error", "param": None, "code": 502}


@pytest.mark.parametrize("route", [CHAT, COMPLETIONS, RESPONSES, "/v1/audio/transcriptions"])
def test_openai_s_form(route: str) -> None:
    found = event(route, ERROR)
    assert json.loads(found.removeprefix("data: ")) == {"error": ERROR}
    assert found.endswith("}\n\n")
    assert "\u00eb" in found


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "invalid_request_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
    ],
)
def test_anthropic_s_form(status: int, kind: str) -> None:
    found = event(MESSAGES, {**ERROR, "code": status})
    name, data = found.removesuffix("\n\n").split("\n")
    assert name == "event: error"
    said = {"type": kind, "message": "the ënd"}
    assert json.loads(data.removeprefix("data: ")) == {"type": "error", "error": said}
    assert sse.error(found.encode()) is not None


def test_openai_s_client_raises_on_the_event_of_responses() -> None:
    begun = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1"}}
    body = f"event: response.created\ndata: {json.dumps(begun)}\n\n{event(RESPONSES, ERROR)}"
    kind = {"Content-Type": "text/event-stream"}
    answer = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=kind, text=body))
    with openai.OpenAI(
        base_url="http://x/v1", api_key="k", http_client=httpx2.Client(transport=answer)
    ) as client:
        stream = client.responses.create(model="m", input="x", stream=True)
        assert next(iter(stream)).type == "response.created"
        with pytest.raises(openai.APIError, match="the ënd"):
            list(stream)
