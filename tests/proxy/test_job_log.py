"""The line of the log for one job."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from proxy.job_log import Record
from supervisor.link import log_lines


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_the_line_has_what_is_known() -> None:
    clock = Clock()
    record = Record("a", clock)
    clock.now += 0.25
    record.yielded("one")
    clock.now += 1
    record.yielded("two")
    record.route, record.tokens = "/v1/completions", 7
    expected = "job a: /v1/completions 200, 7 tokens, first after 0.250 s, 1.250 s in all"
    assert record.line()[0] == expected


def test_a_job_that_failed_before_any_output() -> None:
    record = Record("a", Clock())
    record.fails(400, "invalid_request_error")
    assert record.line()[0] == "job a: - 400 invalid_request_error, 0.000 s in all"


def test_a_failure_has_its_reason_on_one_line_cut_and_without_secrets() -> None:
    record = Record("a", Clock())
    record.fails(502, "engine_error", f"no\n  sk-proj-1234567890abcdef {'x ' * 1000}")
    line, _ = record.line()
    assert line.startswith("job a: - 502 engine_error, 0.000 s in all: no *** x x")
    assert len(line) < 400
    assert line.isprintable()


def test_the_same_stands_in_fields() -> None:
    clock = Clock()
    record = Record("a", clock)
    clock.now += 0.25
    record.waited = record.age
    clock.now += 0.25
    record.yielded("one")
    record.route, record.tokens = "/v1/completions", 7
    assert record.line()[1] == {
        "job": "a",
        "route": "/v1/completions",
        "status": 200,
        "error_kind": None,
        "tokens": 7,
        "wait_s": 0.25,
        "first_token_s": 0.5,
        "seconds": 0.5,
    }


def test_a_failure_that_is_not_the_callers_is_a_warning() -> None:
    record = Record("a", Clock())
    levels = {}
    for status in (200, 400, 429, 500, 503, None):
        record.fails(status, "x")
        levels[status] = logging.getLevelName(record.level)
    assert {status for status, level in levels.items() if level == "WARNING"} == {500, 503}
    assert record.line()[0].startswith("job a: - x, ")


def test_what_was_said_is_kept_on_demand_alone() -> None:
    for keep, expected in ((True, 'was answered one{"c": 1}'), (False, "was answered ")):
        record = Record("a", Clock(), keep=keep)
        record.asked = {"prompt": "ö"}
        record.yielded("one")
        record.yielded({"c": 1})
        assert record.content() == f'job a asked {{"prompt": "ö"}} and {expected}'


def test_what_was_said_is_cut_off_somewhere() -> None:
    record = Record("a", Clock(), keep=True)
    record.asked = {"prompt": "x" * 1_000_000}
    record.yielded("y" * 1_000_000)
    assert len(record.content()) < 50_000


def said(content: str) -> bytes:
    return f'data: {{"choices":[{{"delta":{{"content":"{content}"}}}}]}}\n\n'.encode()


def usage(count: int) -> bytes:
    return f'data: {{"choices":[],"usage":{{"completion_tokens":{count}}}}}\n\n'.encode()


def test_the_tokens_of_a_stream_are_those_that_the_engine_counts() -> None:
    record = Record("a", Clock())
    assert record.streamed(2, [said("a"), said("b")]) == 2
    assert record.tokens == 2
    assert record.streamed(3, [said("c and more"), usage(7)]) == 5
    assert record.streamed(3, [b"data: [DONE]\n\n"]) == 0
    assert record.tokens == 7


def test_nobody_knows_the_tokens_of_a_beam_search_that_are_not_told() -> None:
    """It sends each sequence in one event."""
    record = Record("a", Clock())
    record.asked = {"use_beam_search": True}
    assert record.streamed(2, [said("I am a tin"), said("The project")]) == 2
    assert record.tokens is None
    assert record.streamed(2, [usage(10)]) == 8
    assert record.tokens == 10


def content(asked: Any, *answered: Any) -> str:
    record = Record("a", Clock(), keep=True)
    record.asked = asked
    for output in answered:
        record.yielded(output)
    return record.content()


DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("asked", "answered", "said"),
    [
        ({"prompt": "half: \ud83d"}, "and \udc00", r"half: \ud83d"),
        ({"x": DEEP}, {"y": DEEP}, "RecursionError"),
        ({"x": {1, 2}}, {("a", "b"): 1}, "{1, 2}"),
        ({"x": float("nan"), "y": 10**5000}, b'{"raw": "\xff"}', "NaN"),
        ({"x": "a\nb"}, "data: {}\n\ndata: {}\r\n\n\x1b[2J\u2028", r"data: {}\n\ndata: {}\r\n"),
    ],
    ids=["surrogates", "deep", "no JSON", "numbers and bytes", "lines"],
)
def test_whatever_was_said_is_one_line_and_no_traceback(
    asked: Any, answered: Any, said: str
) -> None:
    found = content(asked, answered)
    assert said in found
    assert found.isprintable() or found.replace("\N{REPLACEMENT CHARACTER}", "").isprintable()
    found.encode()


@pytest.mark.parametrize("text", ["x", "\n", "\x1b", "\u2028", "\ud800", '"', "\\", "\U0001f600"])
@pytest.mark.parametrize("in_json", [True, False])
def test_what_was_said_fits_into_one_object_of_the_log(text: str, in_json: bool) -> None:
    long = text * 100_000
    found = content({"prompt": long}, {"text": long} if in_json else long)
    assert len(found) < log_lines.MOST
    assert "... and was answered " in found


def test_a_long_answer_is_not_kept_for_the_log() -> None:
    record = Record("a", Clock(), keep=True)
    for _ in range(100):
        record.yielded("y" * 15_000)
    assert sum(map(len, record._answered)) == 20_000


def test_names_from_outside_are_cut_and_forge_no_lines() -> None:
    record = Record("id\n12:00:00 INFO proxy: all is well", Clock())
    record.route = "/x" * 1_000_000
    record.fails(418, "\x1bTeapot\n", "no\n12:00:00 INFO proxy: coffee" * 1_000_000)
    assert len(record.line()[0]) < 1000
    assert record.line()[0].isprintable()
