"""Answers in the form that the native input is answered with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.errors import AnswerNotUnderstood, AnswerTooLarge
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


def test_why_an_answer_ended_is_known_though_it_is_not_shown() -> None:
    stream = native.Stream()
    stream.batch([text("a")])
    assert stream.finish is None
    stream.batch([event(choices=[{"index": 0, "text": "", "finish_reason": "stop"}])])
    assert stream.finish == "stop"


def test_several_sequences_keep_their_places() -> None:
    batch = native.Stream().batch([text("a", 1), text("b", 0), text("c", 1)])
    assert batch is not None
    assert batch["choices"] == [{"tokens": ["b"]}, {"tokens": ["a", "c"]}]


def test_a_batch_that_says_nothing_is_not_sent() -> None:
    assert native.Stream().batch([b"data: [DONE]\n\n", b": ping\n\n"]) is None


def delta(index: int = 0, **message: Any) -> bytes:
    return event(choices=[{"index": index, "delta": message}])


CALL = {"id": "c", "type": "function", "function": {"name": "tell", "arguments": "{}"}}


def test_what_a_message_has_beside_its_text_is_kept() -> None:
    """As vLLM 0.32 sends a message: with a null for what it has not."""
    message = {
        "role": "assistant",
        "content": None,
        "refusal": "no",
        "annotations": None,
        "audio": None,
        "tool_calls": [CALL],
        "reasoning": "why",
        "citations": {"a": 1},
    }
    (choice,) = native.whole({"choices": [{"message": message}]})["choices"]
    assert choice == {
        "tokens": [""],
        "refusal": ["no"],
        "tool_calls": [CALL],
        "reasoning": ["why"],
        "citations": [{"a": 1}],
    }


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning_content": "why"},
        {"reasoning": "why", "reasoning_content": "why"},
        {"reasoning_content": "why", "reasoning": "why"},
        {"reasoning_content": "why", "reasoning": None},
    ],
)
def test_reasoning_has_one_name_whatever_the_version(message: dict[str, Any]) -> None:
    (choice,) = native.whole({"choices": [{"message": message}]})["choices"]
    assert choice == {"tokens": [""], "reasoning": ["why"]}
    batch = native.Stream().batch([delta(**message)])
    assert batch is not None
    assert batch["choices"] == [{"tokens": [], "reasoning": ["why"]}]


def test_what_a_message_has_beside_its_text_is_streamed_in_order() -> None:
    def call(**function: str) -> list[dict[str, Any]]:
        return [{"index": 0, "function": function}]

    stream = native.Stream()
    batch = stream.batch(
        [
            delta(role="assistant", content=""),
            delta(reasoning="hm", content=None),
            delta(reasoning=", well"),
            delta(content="Let me"),
            delta(tool_calls=call(name="tell", arguments="")),
            delta(tool_calls=call(arguments="{}")),
            delta(1, refusal="no"),
        ]
    )
    assert batch is not None
    assert batch["choices"] == [
        {
            "tokens": ["Let me"],
            "reasoning": ["hm", ", well"],
            "tool_calls": [*call(name="tell", arguments=""), *call(arguments="{}")],
        },
        {"tokens": [], "refusal": ["no"]},
    ]
    assert batch["usage"]["output"] == 6


def test_each_piece_of_text_has_its_log_probabilities() -> None:
    """Also a token without a text: half a character, or a part of a tool's name."""
    lp = {"content": [{"token": "x"}]}
    choices = [
        {"text": "a", "logprobs": lp},
        {"text": "", "logprobs": lp},
        {"delta": {"content": None, "tool_calls": [CALL]}, "logprobs": lp},
    ]
    batch = native.Stream().batch([event(choices=[choice]) for choice in choices])
    assert batch is not None
    assert batch["choices"] == [
        {"tokens": ["a", "", ""], "logprobs": [lp, lp, lp], "tool_calls": [CALL]}
    ]


def test_usage_counts_what_an_event_carries_however_much_it_is() -> None:
    """A beam search sends each sequence in one event; what is only echoed is no output."""

    def said(index: int, text: str, count: int) -> bytes:
        choice = {"index": index, "delta": {"content": text}}
        usage = {"prompt_tokens": 16, "completion_tokens": count}
        return event(choices=[choice], usage=usage)

    stream = native.Stream()
    batch = stream.batch([said(0, "the prompt", 0), said(0, "I am a tin", 5), said(1, "The", 5)])
    assert batch is not None
    assert batch["usage"] == {"input": 16, "output": 10}
    last = event(choices=[], usage={"prompt_tokens": 16, "completion_tokens": 10})
    assert stream.batch([last]) == {"choices": [], "usage": {"input": 16, "output": 10}}
    assert (stream.input_tokens, stream.output_tokens) == (16, 10)


def test_merged_tokens_are_counted_by_their_ids_where_usage_is_missing() -> None:
    stream = native.Stream()
    stream.batch([event(choices=[{"index": 0, "text": "abc", "token_ids": [1, 2, 3]}])])
    assert stream.output_tokens == 3


def test_a_batch_does_not_grow_with_the_number_of_sequences() -> None:
    """Beyond a hundred the sequences that have something are listed, each with its index."""
    stream = native.Stream()
    batch = stream.batch([text("a", 99), text("b", 3)])
    assert batch is not None
    assert len(batch["choices"]) == 100
    assert batch["choices"][99] == {"tokens": ["a"]}
    batch = stream.batch([text("c", 4999), text("d", 7), text("e", 7)])
    assert batch is not None
    assert batch["choices"] == [
        {"index": 7, "tokens": ["d", "e"]},
        {"index": 4999, "tokens": ["c"]},
    ]
    sizes = [
        len(json.dumps(stream.batch([text("x", index) for index in range(start, start + 50)])))
        for start in range(0, 5000, 50)
    ]
    assert max(sizes) < 3000


def test_an_event_that_is_too_large_is_not_even_read() -> None:
    with pytest.raises(AnswerTooLarge, match=r"20\.0 MB"):
        native.Stream().batch([b"data: " + b"[" * 20_000_000 + b"\n\n"])


@pytest.mark.parametrize(
    "data",
    [
        {"choices": None},
        {"choices": 5},
        {"choices": [None, "x", []]},
        {"choices": [{"index": -1, "text": 5, "delta": "x", "message": []}]},
        {"choices": [{"index": "a", "delta": {"content": ["x"]}, "token_ids": 3}]},
        {"choices": [{"index": 10**30}], "usage": {"prompt_tokens": None}},
        {"choices": [], "usage": {"completion_tokens": "many"}},
        {"usage": [1]},
    ],
)
def test_odd_events_and_answers_are_no_fault_of_ours(data: dict[str, Any]) -> None:
    batch = native.Stream().batch([event(**data), text("a")])
    assert batch is not None
    assert batch["choices"][0]["tokens"][-1] == "a"
    if isinstance(data.get("choices"), list):
        native.whole(data)
    else:
        with pytest.raises(AnswerNotUnderstood):
            native.whole(data)


def test_an_answer_as_json() -> None:
    raw = json.dumps({"choices": [{"text": "\ud83d ä", "logprobs": {"p": float("nan")}}]})
    found = native.encoded(raw.encode())
    assert json.loads(found.text) == {
        "choices": [{"tokens": ["\ud83d ä"], "logprobs": [{"p": None}]}],
        "usage": {"input": 0, "output": 0},
    }
    assert found.tokens == 0
    assert b"NaN" not in found.text


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[" * 100_000, b"5", b"[]", b'{"choices": {}}'])
def test_what_is_no_answer_is_an_error_with_a_sentence(raw: bytes) -> None:
    with pytest.raises(AnswerNotUnderstood, match="the engine's answer") as caught:
        native.encoded(raw)
    assert len(str(caught.value)) < 300
