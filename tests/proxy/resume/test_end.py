"""The end of an answer, made where it is all that is missing."""

from __future__ import annotations

from typing import Any

from proxy.request.forms import CHAT, COMPLETIONS, Request
from proxy.resume import end
from proxy.resume.told import Told
from proxy.stream import sse

DONE = b"data: [DONE]\n\n"
HEAD = {"id": "cmpl-1", "created": 5}
USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}


def asked(route: str = COMPLETIONS, *, figures: bool = False) -> Request:
    return Request("POST", route, {"stream_options": {"include_usage": figures}})


def told(**also: Any) -> Told:
    return Told(head=HEAD, text="a", **also)


def test_nothing_is_known_before_the_last_token() -> None:
    assert end.known(asked(), told(usage=USAGE)) is None


def test_nobody_is_asked_for_what_the_caller_does_not_want_or_has() -> None:
    assert end.known(asked(), told(finish="stop")) == [DONE]
    assert end.known(Request("POST", CHAT, {"stream_options": None}), told(finish="stop")) == [DONE]
    has_it = told(finish="stop", usage=USAGE, counted=True)
    assert end.known(asked(figures=True), has_it) == [DONE]


def test_the_figures_in_the_last_event_are_those_of_the_answer() -> None:
    found = end.known(asked(figures=True), told(finish="stop", usage=USAGE))
    assert found is not None
    usage, done = found
    assert sse.parsed(usage) == {**HEAD, "choices": [], "usage": USAGE}
    assert done == DONE


def test_figures_that_nobody_has_are_asked_for() -> None:
    assert end.known(asked(figures=True), told(finish="stop")) is None


def test_an_answer_at_its_limit_ends_for_that() -> None:
    for route in (CHAT, COMPLETIONS):
        ended, done = end.events(asked(route), told(), None)
        (choice,) = sse.parsed(ended)["choices"]
        assert choice["finish_reason"] == "length"
        assert ("delta" in choice) is (route == CHAT)
        assert done == DONE
