"""Bounds of a number, as pydantic calls them."""

from __future__ import annotations

import math

import pytest

from supervisor.catalog import bounds
from supervisor.catalog.bounds import ANY, Bounds


@pytest.mark.parametrize(
    ("record", "inside", "outside", "said"),
    [
        (
            {"gt": 0, "le": 1}, [0.01, 1], [0, -1, 1.01, math.nan, math.inf],
            "more than 0 and at most 1",
        ),
        ({"ge": 1}, [1, 2, math.inf], [0.5, 0, -math.inf], "at least 1"),
        ({"ge": -1, "lt": 1, "multiple_of": 2}, [-1, 0], [1, -2], "at least -1 and less than 1"),
    ],
)  # fmt: skip
def test_what_lies_between(
    record: dict[str, float], inside: list[float], outside: list[float], said: str
) -> None:
    found = bounds.parse(record)
    assert all(found.admit(number) for number in inside)
    assert not any(found.admit(number) for number in outside)
    assert str(found) == said


@pytest.mark.parametrize("record", [None, {}, {"ge": None}, "1", {"multiple_of": 8}])
def test_nothing_is_known(record: object) -> None:
    assert bounds.parse(record) == ANY == Bounds()
    assert ANY.admit(-5)


def test_a_bound_that_is_no_number() -> None:
    with pytest.raises(ValueError, match="no numbers"):
        bounds.parse({"ge": "1"})
