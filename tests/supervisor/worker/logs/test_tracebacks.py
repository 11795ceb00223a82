"""Lines that belong together."""

from __future__ import annotations

import traceback

from supervisor.worker.logs.tracebacks import Traceback


def fails(reason: Exception | None) -> None:
    raise ValueError("second\n  with more") from reason


def made() -> list[str]:
    try:
        try:
            int("first")
        except ValueError as reason:
            fails(reason)
    except ValueError:
        return traceback.format_exc().rstrip().split("\n")
    return []


def test_a_traceback_is_taken_to_its_end_with_what_caused_it() -> None:
    found = Traceback()
    assert not found.takes("before")
    assert [line for line in made() if not found.takes(line)] == []
    assert not found.takes("INFO: after")
    assert not found.takes("  also indented")


def test_another_one_may_follow() -> None:
    found = Traceback()
    assert all(found.takes(line) for line in [*made(), *made()])


def fails_in_a_group(reason: Exception | None) -> None:
    raise ExceptionGroup("several", [ValueError("one"), OSError("two")]) from reason


def test_a_group_of_exceptions_is_one() -> None:
    lines = []
    try:
        try:
            fails_in_a_group(None)
        except ExceptionGroup as reason:
            fails_in_a_group(reason)
    except ExceptionGroup:
        lines = traceback.format_exc().rstrip().split("\n")
    found = Traceback()
    assert [line for line in lines if not found.takes(line)] == []
    assert len(lines) > 20


def test_it_is_unfinished_until_the_line_of_its_exception() -> None:
    found = Traceback()
    told = [(found.takes(line), found.unfinished) for line in made()]
    assert [unfinished for _, unfinished in told].count(False) >= 2
    assert not found.unfinished
    assert told[0] == (True, True)
