"""What is made of a batch in each form, and what the platform would not carry."""

from __future__ import annotations

import json

import pytest

from proxy.stream.outputs import Outputs, error_at
from proxy.stream.raw import Comment

TOKEN = b'data: {"choices":[{"index":0,"text":" w0"}]}\n\n'
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
COMMENT = b": keep-alive\n\n"
ERROR = b'data: {"error":{"message":"boom","code":400}}\n\n'

TEXT, CHUNKS, NATIVE = (
    {"own_form": False, "as_text": True},
    {"own_form": False, "as_text": False},
    {"own_form": True, "as_text": True},
)


def made(outputs: Outputs, *events: bytes) -> list[object]:
    return outputs.of(events, b"".join(events))


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (TEXT, [TOKEN.decode() * 2]),
        (CHUNKS, [[json.loads(TOKEN[6:])] * 2]),
        (NATIVE, [{"choices": [{"tokens": [" w0", " w0"]}], "usage": {"input": 0, "output": 2}}]),
    ],
)
def test_a_batch_in_each_form(form: dict[str, bool], expected: list[object]) -> None:
    assert made(Outputs(**form), TOKEN, TOKEN) == expected


def test_comments_alone_are_no_output_of_the_answer() -> None:
    (found,) = made(Outputs(**TEXT), COMMENT, COMMENT)
    assert (type(found), found) == (Comment, 2 * COMMENT.decode())
    (found,) = made(Outputs(**TEXT), TOKEN, COMMENT)
    assert type(found) is str
    assert made(Outputs(**CHUNKS), COMMENT) == []
    assert made(Outputs(**NATIVE), COMMENT) == []


def test_an_error_after_tokens_is_parted_from_them() -> None:
    outputs = Outputs(**TEXT)
    events = [ROLE, TOKEN, ERROR]
    place = error_at(events, b"".join(events))
    assert place == 2
    before, rest = outputs.parted(events, place)
    assert before == [(ROLE + TOKEN).decode()]
    error = outputs.error(rest)
    assert (error.status, str(error), error.last) == (400, "boom", (ERROR.decode(),))


def test_an_error_without_tokens_before_it_stays_with_what_came() -> None:
    """Nothing has gone out: the job can be sent again."""
    outputs = Outputs(**TEXT)
    before, rest = outputs.parted([ROLE, ERROR], 1)
    assert before == []
    assert outputs.error(rest).last == ((ROLE + ERROR).decode(),)


def test_a_word_is_no_error() -> None:
    events = [b'data: {"choices":[{"text":"\\"error\\""}]}\n\n', TOKEN]
    assert error_at(events, b"".join(events)) is None
