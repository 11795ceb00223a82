"""What is shown of a caller's text: short, on one line, and never a fault of its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import excerpt


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("temperature", "temperature"),
        ("", ""),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 100 + "..."),
        ("a\nb\x00\ud83d", "a\\nb\\x00\\ud83d"),
        ("é\N{SNOWMAN}", "é\N{SNOWMAN}"),
        ("\n" * 100, "\\n" * 50 + "..."),
    ],
)
def test_text(written: str, shown: str) -> None:
    assert excerpt.text(written) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (5, "5"),
        (True, "True"),
        (None, "None"),
        (0.5, "0.5"),
        ("a", "'a'"),
        ("it's\n", '"it\'s\\n"'),
        ("x" * 5_000_000, "'" + "x" * 98 + "...'"),
        (10**400, "a number of about 401 digits"),
        ({"a": [10**4000]}, "{'a': [a number of about 4001 digits]}"),
        (list(range(100_000)), "[0, 1, 2, 3, 4, 5, ...]"),
    ],
)
def test_value(given: Any, shown: str) -> None:
    assert excerpt.value(given) == shown


def test_a_number_that_python_does_not_write() -> None:
    assert excerpt.value(-(10**5000)) == "a number of about 5001 digits"


def test_a_value_of_any_depth() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert excerpt.value(deep) == "[[[[[[[...]]]]]]]"


@given(st.text(), st.integers(10, 40))
def test_it_is_short_printable_and_can_be_sent(written: str, most: int) -> None:
    for shown in (excerpt.text(written, most), excerpt.value(written, most)):
        assert len(shown) <= most + 4
        assert shown.isprintable()
        shown.encode()
