"""Both parts of an answer are one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.resume.seam import OtherKind, OtherWord, Seam
from proxy.resume.told import CALLS, REASONING, Told
from proxy.stream import sse

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "m"}
OTHER = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 9, "model": "m"}


def event(delta: dict[str, Any], reason: str | None = None, **also: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
    return b"data: " + json.dumps({**OTHER, "choices": choices, **also}).encode() + b"\n\n"


def seam(ahead: str = "", tokens: int = 3, *, begun: bool = True) -> Seam:
    return Seam(Told(head=HEAD, text="so far" + ahead, begun=begun), ahead, tokens)


def texts(events: list[bytes]) -> list[str]:
    return [sse.parsed(each)["choices"][0]["delta"].get("content") for each in events]


def test_the_rest_has_the_id_of_the_beginning_and_no_second_role() -> None:
    given = [event({"role": "assistant", "content": ""}), event({"content": " on"}), b": ping\n\n"]
    found = seam().joined([*given, event({}, "stop"), b"data: [DONE]\n\n"])
    first, ping, last, done = found
    assert sse.parsed(first)["id"] == "chatcmpl-1"
    assert sse.parsed(first)["created"] == 5
    assert texts([first]) == [" on"]
    assert sse.parsed(last)["choices"][0]["finish_reason"] == "stop"
    assert (ping, done) == (b": ping\n\n", b"data: [DONE]\n\n")


def test_the_role_comes_where_it_was_lost() -> None:
    (only,) = seam(begun=False).joined([event({"role": "assistant", "content": ""})])
    assert sse.parsed(only)["choices"][0]["delta"]["role"] == "assistant"


@pytest.mark.parametrize(
    ("ahead", "pieces", "new"),
    [
        ("", [" a"], [" a"]),
        ("\n\n", ["\n\n", "a"], ["a"]),
        ("\n\n", ["\n", "\n", "a"], ["a"]),
        ("\n\n", ["\n\na", "b"], ["a", "b"]),
        ("\n\n", ["a", "\n\nb"], ["a", "\n\nb"]),
        (" ", ["  a"], [" a"]),
        ("\n ", ["\nb", " c"], ["b", " c"]),
    ],
)
def test_white_space_that_the_caller_has_does_not_come_again(
    ahead: str, pieces: list[str], new: list[str]
) -> None:
    one = seam(ahead)
    assert texts([e for piece in pieces for e in one.joined([event({"content": piece})])]) == new


@pytest.mark.parametrize("pieces", [[" world and"], [" wor", "ld", " and"], [" ", "world and"]])
def test_a_word_that_the_caller_has_does_not_come_again(pieces: list[str]) -> None:
    one = seam(" world")
    found = texts([e for piece in pieces for e in one.joined([event({"content": piece})])])
    assert "".join(found) == " and"


@pytest.mark.parametrize(
    "given",
    [
        [event({"content": " work"})],
        [event({"content": " wo"}), event({"content": "n"})],
        [event({"content": "\nworld"})],
        [event({"content": " wor"}), event({}, "stop")],
        [event({"content": " wor"}, "length")],
    ],
)
def test_another_word_in_its_place_is_not_glued_to_it(given: list[bytes]) -> None:
    one = seam(" world")
    *before, last = given
    assert one.joined(before) == []
    with pytest.raises(OtherWord):
        one.joined([last])


def test_the_figures_count_both_parts_once() -> None:
    usage = {"prompt_tokens": 13, "completion_tokens": 4, "total_tokens": 17}
    body = {**OTHER, "choices": [], "usage": usage}
    (found,) = seam(tokens=3).joined([b"data: " + json.dumps(body).encode() + b"\n\n"])
    expected = {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17}
    assert sse.parsed(found)["usage"] == expected


@pytest.mark.parametrize(("asked", "told"), [(None, 10), (11, 11), (9, 9), (700, 10)])
def test_the_question_s_tokens_are_those_that_were_counted(asked: int | None, told: int) -> None:
    """A token may be of both; where far fewer were counted, pictures were not."""
    one = Seam(Told(head=HEAD), "", 3, asked)
    found = one.usage({"prompt_tokens": 13, "completion_tokens": 4, "total_tokens": 17})
    assert found == {"prompt_tokens": told, "completion_tokens": 7, "total_tokens": told + 7}


def test_no_more_of_the_question_was_cached_than_it_had() -> None:
    details = {"cached_tokens": 96, "audio_tokens": 0}
    usage = {"prompt_tokens": 110, "completion_tokens": 5, "prompt_tokens_details": details}
    found = Seam(Told(head=HEAD), "", 100).usage(usage)
    assert found["prompt_tokens_details"] == {"cached_tokens": 10, "audio_tokens": 0}
    assert Seam(Told(head=HEAD), "", 3).usage({"prompt_tokens": None}) == {"prompt_tokens": None}


def test_completions_and_events_that_are_none() -> None:
    body = {**OTHER, "choices": [{"index": 0, "text": " a", "finish_reason": None}]}
    given = b"data: " + json.dumps(body).encode() + b"\n\n"
    one = Seam(Told(head={"id": "cmpl-1"}, text="a\n"), "", 1)
    (found,) = one.joined([given])
    assert sse.parsed(found)["choices"][0]["text"] == " a"
    assert sse.parsed(found)["id"] == "cmpl-1"
    error = b'data: {"error": {"message": "no"}}\n\n'
    assert one.joined([error]) == [error]


@pytest.mark.parametrize("name", [*REASONING, *CALLS])
def test_another_kind_of_rest_is_none(name: str) -> None:
    with pytest.raises(OtherKind):
        seam().joined([event({name: "x"})])
