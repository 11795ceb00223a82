"""Answers in the form that the native input is answered with."""

from __future__ import annotations

import json
from typing import Any

from proxy.stream import native


def event(**data: Any) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def text(content: str, index: int = 0) -> bytes:
    return event(choices=[{"index": index, "text": content}])


def test_a_whole_answer() -> None:
    answer = {
        "choices": [{"text": "a b"}, {"message": {"content": "c"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
    }
    assert native.whole(answer) == {
        "choices": [{"tokens": ["a b"]}, {"tokens": ["c"]}],
        "usage": {"input": 3, "output": 4},
    }


def test_batches_of_a_stream() -> None:
    stream = native.Stream()
    assert stream.batch([text("a"), text("b")]) == {
        "choices": [{"tokens": ["a", "b"]}],
        "usage": {"input": 0, "output": 2},
    }
    usage = event(choices=[], usage={"prompt_tokens": 7, "completion_tokens": 3})
    assert stream.batch([text("c"), usage, b"data: [DONE]\n\n"]) == {
        "choices": [{"tokens": ["c"]}],
        "usage": {"input": 7, "output": 3},
    }


def test_several_sequences_keep_their_places() -> None:
    batch = native.Stream().batch([text("a", 1), text("b", 0), text("c", 1)])
    assert batch is not None
    assert batch["choices"] == [{"tokens": ["b"]}, {"tokens": ["a", "c"]}]


def test_a_batch_that_says_nothing_is_not_sent() -> None:
    assert native.Stream().batch([b"data: [DONE]\n\n", b": ping\n\n"]) is None
