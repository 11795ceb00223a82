"""What was handed over is read again, in each of its forms."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.resume.told import Reader, Told
from proxy.stream.outputs import Outputs


def chunk(**delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return {"id": "chatcmpl-1", "created": 5, "model": "m", "choices": [choice]}


def event(body: Any) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


CHAT = [chunk(role="assistant", content=""), chunk(content="Grüße"), chunk(content=" an\n\n")]
FORMS = [(False, True), (False, False), (True, True)]


def read(kept: list[bytes], *, native: bool, as_text: bool) -> Told:
    reader = Reader(native=native, as_text=as_text)
    for output in kept:
        reader.add(output)
    return reader.finish()


def handed(events: list[bytes], *, native: bool, as_text: bool) -> list[bytes]:
    """As the platform's side keeps it, a batch for each event."""
    outputs = Outputs(own_form=native, as_text=as_text)
    made = [output for each in events for output in outputs.of([each], each)]
    return [json.dumps(output).encode() for output in made]


@pytest.mark.parametrize(("native", "as_text"), FORMS)
def test_the_text_in_each_form(native: bool, as_text: bool) -> None:
    events = [b": ping\n\n", *map(event, CHAT)]
    found = read(handed(events, native=native, as_text=as_text), native=native, as_text=as_text)
    assert found.text == "Grüße an\n\n"
    assert (found.reasoning, found.calls, found.finish) == (False, False, None)
    if not native:
        assert found.head == {"id": "chatcmpl-1", "created": 5, "model": "m"}
        assert found.begun


@pytest.mark.parametrize(("native", "as_text"), FORMS)
def test_reasoning_and_calls_show(native: bool, as_text: bool) -> None:
    for delta, kinds in (
        ({"reasoning": "hm"}, (True, False)),
        ({"reasoning_content": "hm"}, (True, False)),
        ({"tool_calls": [{"index": 0}]}, (False, True)),
    ):
        kept = handed([event(chunk(**delta))], native=native, as_text=as_text)
        found = read(kept, native=native, as_text=as_text)
        assert (found.reasoning, found.calls) == kinds


def test_a_completion_its_end_and_its_figures() -> None:
    body = {
        "id": "cmpl-1",
        "choices": [{"index": 0, "text": "a", "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
    found = read([json.dumps(event(body).decode()).encode()], native=False, as_text=True)
    assert (found.text, found.finish, found.head) == ("a", "stop", {"id": "cmpl-1"})
    assert found.usage == body["usage"]
    assert not found.begun
    assert not found.counted


@pytest.mark.parametrize(("native", "as_text"), FORMS)
def test_the_figures_at_the_end_and_before(native: bool, as_text: bool) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    under_way = [event(chunk(content="a") | {"usage": usage})]
    at_its_end = [*under_way, event({"id": "chatcmpl-1", "choices": [], "usage": usage})]
    outputs = Outputs(own_form=native, as_text=as_text)
    made = [json.dumps(each).encode() for one in at_its_end for each in outputs.of([one], one)]
    for count, counted in ((1, False), (2, True)):
        found = read(made[:count], native=native, as_text=as_text)
        assert (found.usage, found.counted) == (usage, counted)


def test_a_large_event_in_parts_is_read_whole() -> None:
    text = event(chunk(content="x" * 1_500_000)).decode()
    parts = [
        json.dumps(text[start : start + 120_000]).encode() for start in range(0, len(text), 120_000)
    ]
    assert len(read(parts, native=False, as_text=True).text) == 1_500_000


def test_nothing_told() -> None:
    assert read([], native=False, as_text=True).text == ""
