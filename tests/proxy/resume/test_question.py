"""The request for the rest."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.request.forms import CHAT, COMPLETIONS, Request
from proxy.resume import question

USER = {"role": "user", "content": "x"}


def chat(**also: Any) -> Request:
    return Request("POST", CHAT, {"messages": [USER], "stream": True, **also})


def completion(prompt: Any, **also: Any) -> Request:
    return Request("POST", COMPLETIONS, {"prompt": prompt, **also})


def test_a_chat_goes_on_in_an_open_turn() -> None:
    asked = question.rest(chat(seed=3, max_tokens=10), "so far", [1, 2])
    assert asked is not None
    assert asked.body == {
        "messages": [USER, {"role": "assistant", "content": "so far"}],
        "stream": True,
        "seed": 3,
        "continue_final_message": True,
        "add_generation_prompt": False,
        "max_tokens": 8,
    }
    assert asked.content is not None
    assert b"so far" in asked.content


def test_a_turn_that_the_caller_left_open_grows() -> None:
    left_open = {"role": "assistant", "content": "I"}
    given = Request("POST", CHAT, {"messages": [USER, left_open], "continue_final_message": True})
    asked = question.rest(given, " am", [1])
    assert asked is not None
    assert asked.body["messages"] == [USER, {"role": "assistant", "content": "I am"}]
    parts = {"role": "assistant", "content": [{"type": "text", "text": "I"}]}
    given = Request("POST", CHAT, {"messages": [USER, parts], "continue_final_message": True})
    assert question.rest(given, " am", [1]) is None


@pytest.mark.parametrize(
    ("prompt", "longer"),
    [("a", "ab"), (["a"], "ab"), ([1, 2], [1, 2, 7, 8]), ([[1, 2]], [1, 2, 7, 8])],
)
def test_a_prompt_grows_in_its_own_form(prompt: Any, longer: Any) -> None:
    asked = question.rest(completion(prompt, max_tokens=5), "b", [7, 8])
    assert asked is not None
    assert asked.body == {"prompt": longer, "max_tokens": 3}


@pytest.mark.parametrize("prompt", [None, [], {"a": 1}, ["a", "b"]])
def test_a_prompt_of_another_form_does_not(prompt: Any) -> None:
    assert question.rest(completion(prompt), "b", [7]) is None


def test_what_is_left() -> None:
    assert question.left(chat(), 3) is None, "up to the context's end"
    assert question.left(chat(max_completion_tokens=5, max_tokens=9), 3) == 2
    assert question.left(completion("a"), 3) == 13, "vLLM's own limit is 16"
    assert question.left(completion("a", max_tokens=None), 3) == 13
    assert question.left(completion("a", max_tokens=9, max_completion_tokens=5), 3) == 6


@pytest.mark.parametrize("limit", [40, "40", 40.0])
def test_a_limit_as_the_engine_reads_it(limit: Any) -> None:
    for asked in (chat(max_tokens=limit), chat(max_completion_tokens=limit)):
        rest = question.rest(asked, "so far", [1, 2])
        assert rest is not None
        assert rest.body["max_tokens"] == 38
        assert "max_completion_tokens" not in rest.body


def test_a_turn_is_left_open_in_any_spelling() -> None:
    left_open = {"role": "assistant", "content": "I"}
    for said, count in (("true", 2), (1, 2), ("false", 3), (0, 3)):
        given = chat(messages=[USER, left_open], continue_final_message=said)
        asked = question.rest(given, " am", [1])
        assert asked is not None
        assert len(asked.body["messages"]) == count


def test_white_space_at_the_end_is_held_back_from_templates_alone() -> None:
    assert question.stands_on(chat(), "a \n\n") == "a"
    assert question.stands_on(completion("a"), "a \n\n") == "a \n\n"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("jobs in the qu", "jobs in the"),
        ("jobs in the ", "jobs in the"),
        ("the end.\n\nOn", "the end.\n\n"),
        ("the end.\n\n", "the end.\n\n"),
        ("qu", "qu"),
        ("in a " + "x" * 60, "in a " + "x" * 60),
    ],
)
def test_with_stop_strings_a_word_that_may_be_half_of_one_comes_again(
    text: str, whole: str
) -> None:
    asked = completion("a", stop=["b"], temperature=0)
    assert question.stands_on(asked, text) == whole
    assert question.stands_on(completion("a", stop=["b"], temperature="0"), text) == whole
    assert question.stands_on(completion("a", stop=["b"]), text) == text
    assert question.stands_on(completion("a", temperature=0), text) == text
    assert question.stands_on(asked, text, half_words=True) == text
    assert question.stands_on(chat(stop="b", temperature=0), text) == whole.rstrip()
