"""What a line of the log looks like, in both forms."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.link import log_lines
from supervisor.link.log_lines import Lines


def record(text: str, **more: Any) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "proxy", "levelname": "INFO", "msg": text, **more})


def test_each_line_of_text_has_its_date_its_zone_and_who_says_it() -> None:
    lines = Lines(as_json=False).format(record("one\n2026-01-01T00:00:00 INFO proxy: two"))
    for line in lines.split("\n"):
        when, level, name, _ = line.split(" ", 3)
        assert datetime.fromisoformat(when).tzinfo is not None
        assert (level, name) == ("INFO", "proxy:")
    assert len(lines.split("\n")) == 2


def test_an_object_has_what_is_known_and_nothing_else() -> None:
    line = Lines(as_json=True, before="~ab ").format(record("a", job="j", status=200, tokens=None))
    found = json.loads(line.removeprefix("~ab "))
    assert datetime.fromisoformat(found.pop("ts")).tzinfo is not None
    assert found == {"level": "INFO", "source": "proxy", "message": "a", "job": "j", "status": 200}


def test_a_traceback_is_one_object_with_the_whole_of_it() -> None:
    try:
        int("of the fault")
    except ValueError:
        found = Lines(as_json=True).format(record("a fault", exc_info=sys.exc_info()))
    message = json.loads(found)["message"]
    assert message.startswith("a fault\nTraceback (most recent call last):\n")
    assert message.endswith("with base 10: 'of the fault'")


def test_secrets_are_masked_in_every_field_and_before_anything_is_escaped() -> None:
    secret = 'a"b\\c\nd'
    for as_json in (False, True):
        lines = Lines(as_json=as_json, mask=lambda text: text.replace(secret, "***"))
        found = lines.format(record(f"is {secret}.", route=f"/{secret}"))
        assert "is ***." in found
        assert "a\\" not in found
        assert "d" not in found.rpartition("message")[2].replace("message", "")


def test_what_ends_a_line_for_some_is_an_escape_and_the_rest_stays_readable() -> None:
    text = "caf\u00e9 \u4f60\u597d \U0001f600 \u2028\u2029\u0085\u009b31m\x7f\x0b\x0c\x1c"
    line = Lines(as_json=True).format(record(text, route=text))
    assert line.splitlines() == [line]
    assert (
        line.count("caf\u00e9 \u4f60\u597d \U0001f600 \\u2028\\u2029\\u0085\\u009b31m\\u007f") == 2
    )
    found = json.loads(line)
    assert (found["message"], found["route"]) == (text, text)


@given(st.text(st.characters(), max_size=50), st.text(st.characters(), max_size=50))
def test_whatever_is_said_is_one_line_that_can_be_read(text: str, job: str) -> None:
    line = Lines(as_json=True).format(record("%s", args=(text,), job=job))
    assert line.splitlines() == [line], "by any of the characters that Python takes for an end"
    found = json.loads(line.encode())
    assert set(found) == {"ts", "level", "source", "message", "job"}
    assert json.dumps(found, ensure_ascii=False).encode(), "no half a character is in it"


def test_a_long_message_is_cut() -> None:
    found = json.loads(Lines(as_json=True).format(record("x" * 1_000_000)))
    assert len(found["message"]) < log_lines.MOST + 100
    assert found["message"].endswith("characters left out)")


@pytest.mark.parametrize("character", ["\x00", "\x85", '"', "\\", "\u4f60", "\U0001f600", "\ud800"])
def test_no_object_is_longer_than_its_reader_takes(character: str) -> None:
    text = character * 100_000
    said = record(text, name=text, job=text, route=text, error_kind=text)
    line = Lines(as_json=True, before="~0123456789abcdef ").format(said).encode()
    assert log_lines.MOST < len(line) < log_lines.LINE_MOST
    assert json.loads(line.partition(b" ")[2])["message"].endswith(" characters left out)")
