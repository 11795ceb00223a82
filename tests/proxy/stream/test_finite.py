"""NaN and Infinity, which JSON has not."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.stream import finite

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["NaN", '"NaN', "-Infinity\\", "\ud83d"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def strict(text: bytes) -> Any:
    """Parsed as another language would."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    return json.loads(text, parse_constant=refuse)


def plain(value: Any) -> Any:
    """With None for what JSON has not."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


@given(value=VALUES)
def test_they_are_null_wherever_they_stand_and_nothing_else_changes(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=True).encode()
    assert strict(finite.valid(text)) == plain(value)
    assert finite.parsed(text) == plain(value)
    assert strict(finite.encoded(value)) == plain(value)


def test_a_text_that_names_one_is_left_alone() -> None:
    for text in (b'{"a": "NaN and \\"Infinity"}', b'{"NaN": ["-Infinity"]}', b"[1e3]"):
        assert finite.valid(text) == text
    assert finite.valid(b'{"a\\\\": NaN, "b": -Infinity}') == b'{"a\\\\": null, "b": null}'
    assert finite.valid(b'["\xc3\xa4 NaN", NaN]') == b'["\xc3\xa4 NaN", null]'


def test_a_number_that_is_too_large_is_null_too() -> None:
    assert finite.encoded(finite.parsed(b"[1e999, 1]")) == b"[null, 1]"


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"9" * 5000, b"\xff"])
def test_what_cannot_be_read_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the one kind
        finite.parsed(data)


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert finite.parsed(b'["a\xffb"]') == ["a\ufffdb"]
