"""Whether an answer goes on in the prompt that a template makes of it."""

from __future__ import annotations

import pytest

from proxy.request.forms import CHAT, COMPLETIONS, Request
from proxy.resume import prompt

USER, ANSWERS, THINKS, THOUGHT, LINE, LINES, END = 1, 2, 3, 4, 5, 6, 9
TURN = [USER, 70, 71, ANSWERS, LINE]
TEXT = [80, 81, 82, 83, 84]


def test_the_prompt_and_the_text() -> None:
    assert prompt.goes_on(TURN, TURN + TEXT, TEXT)
    assert prompt.goes_on(TURN, [*TURN, 80], [80]), "one token"


@pytest.mark.parametrize(
    ("longer", "text"),
    [
        ([*TURN[:-1], 65, *TEXT[1:]], TEXT),  # the first token took the line's end in
        ([*TURN[:-1], LINES, *TEXT], [LINE, *TEXT]),
        ([*TURN, 90, *TEXT[1:]], TEXT),  # the space before the first word is of another token
        ([*TURN, 90, 91, *TEXT[1:]], TEXT),
        ([*TURN, *TEXT], [LINES, *TEXT]),  # trimmed
    ],
)
def test_tokens_may_be_others_where_the_text_begins(longer: list[int], text: list[int]) -> None:
    assert prompt.goes_on(TURN, longer, text)


@pytest.mark.parametrize(
    ("before", "longer", "text"),
    [
        (TURN, [*TURN, *TEXT, END], TEXT),  # the turn is closed
        (TURN, [*TURN, 80, END], [80]),
        (TURN, [*TURN, END], [80]),
        (TURN, [*TURN, THINKS, LINES, THOUGHT, LINES, *TEXT], TEXT),  # a thought before it
        (TURN, [*TURN, THINKS, LINES, THOUGHT, LINES, *TEXT], [LINES, *TEXT]),
        (TURN, [*TURN, THOUGHT, *TEXT], TEXT),
        ([*TURN[:-1], THINKS, LINE], [*TURN[:-1], *TEXT], TEXT),  # the thought is not begun
        ([*TURN[:-1], THINKS], [*TURN[:-1], *TEXT], TEXT),
        ([*TURN[:-1], THINKS], [*TURN[:-1], THOUGHT, *TEXT], TEXT),
        (TURN, TURN, TEXT),  # without the text
        (TURN, [*TURN, *TEXT[:-1]], TEXT),
        (TURN, [USER, 70, 72, ANSWERS, LINE, *TEXT], TEXT),  # the messages are other ones
        (TURN, TEXT, TEXT),
    ],
)
def test_another_prompt(before: list[int], longer: list[int], text: list[int]) -> None:
    assert not prompt.goes_on(before, longer, text)


def test_the_question_has_what_makes_the_prompt() -> None:
    body = {
        "messages": [{"role": "user", "content": "x"}],
        "model": "m",
        "temperature": 0,
        "chat_template_kwargs": {"enable_thinking": False},
        "add_generation_prompt": True,
        "reasoning_effort": "low",
    }
    assert prompt.asked(Request("POST", CHAT, body), {}) == {
        "messages": body["messages"],
        "add_generation_prompt": True,
        "chat_template_kwargs": {"reasoning_effort": "low", "enable_thinking": False},
    }
    completion = Request("POST", COMPLETIONS, {"prompt": "x", "reasoning_effort": "low"})
    assert prompt.asked(completion, {"a": 1}) == {"prompt": "x"}


def test_what_the_engine_gives_every_template_comes_first() -> None:
    defaults = {"enable_thinking": False, "a": 1, "b": 2}
    own = {"a": 3, "b": None}
    given = prompt.asked(Request("POST", CHAT, {"chat_template_kwargs": own}), defaults)
    assert given["chat_template_kwargs"] == {"enable_thinking": False, "a": 3, "b": 2}
    assert prompt.asked(Request("POST", CHAT, {}), defaults)["chat_template_kwargs"] == defaults
