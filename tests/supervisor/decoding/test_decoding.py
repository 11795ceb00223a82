"""JSON that a user wrote, however deep."""

from __future__ import annotations

import json

import pytest

from supervisor.decoding import json_of

DEEP = [
    "[" * 2000,
    "[" * 2000 + "]" * 2000,
    '{"a":' * 2000 + "1" + "}" * 2000,
    "[" * 900 + "]" * 900,  # Python's own limit is higher
    '{"a":' * 150 + "1" + "}" * 150,
]


@pytest.mark.parametrize("text", DEEP, ids=lambda text: text[:20])
def test_what_is_too_deep_is_no_value(text: str) -> None:
    with pytest.raises(ValueError, match=r"nested more than 100 deep"):
        json_of(text)


def test_what_is_large_and_flat_is_one() -> None:
    values: tuple[object, ...] = (
        [[1]] * 5000,
        {str(number): {"a": [{}]} for number in range(500)},
        "[" * 500,
        7,
    )
    for value in values:
        assert json_of(json.dumps(value)) == value
    deepest = "[" * 100 + "]" * 100
    assert json.dumps(json_of(deepest)) == deepest
