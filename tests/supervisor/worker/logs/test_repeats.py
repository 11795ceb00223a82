"""Lines of the log that come again and again."""

from __future__ import annotations

import logging

from supervisor.worker.logs.repeats import Folding, Repeats


def record(text: str, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": text, "levelno": level, "levelname": "WARNING"})


def test_a_line_that_comes_again_and_again_is_folded() -> None:
    repeats = Repeats()
    shown = [each.getMessage() for _ in range(1000) for each in repeats.take(record("a"), 5.0)]
    assert shown == ["a"] * 10
    assert [each.getMessage() for each in repeats.take(record("b"), 64.0)] == ["b"]
    assert [each.getMessage() for each in repeats.take(record("b"), 65.0)] == [
        "a (this line was left out 990 times)",
        "b",
    ]
    assert [each.getMessage() for each in repeats.take(record("a"), 66.0)] == ["a"], "it is news"
    assert repeats.take_rest() == []


def test_what_differs_in_text_or_level_is_no_repetition() -> None:
    repeats = Repeats()
    for number in range(5000):
        assert len(repeats.take(record(f"line {number}"), 1.0)) == 1
    for _ in range(10):
        assert len(repeats.take(record("x"), 1.0)) == 1
    assert len(repeats.take(record("x", logging.ERROR), 1.0)) == 1


def test_what_was_left_out_is_said_at_the_end() -> None:
    lines: list[str] = []

    class Target(logging.Handler):
        def emit(self, one: logging.LogRecord) -> None:
            lines.append(one.getMessage())

    handler = Folding(Target(), clock=lambda: 1.0)
    for _ in range(12):
        handler.handle(record("again"))
    handler.flush()
    assert lines == ["again"] * 10 + ["again (this line was left out 2 times)"]
