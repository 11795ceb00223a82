"""Any value comes out as JSON can hold it."""

from __future__ import annotations

import enum
import json
from typing import Any

import pytest

from supervisor.foreign.introspect.plain import TEXT_MOST, plain


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None), (True, True), (3, 3), (0.5, 0.5), ("x", "x"), (float("inf"), "inf"),
        (Colour.RED, "RED"), ({"b", "a"}, ["a", "b"]), ((1, [2]), [1, [2]]),
        ({1: Colour.RED}, {"1": "RED"}),
    ],
)  # fmt: skip
def test_plain(value: Any, shown: Any) -> None:
    assert plain(value) == shown
    json.dumps(plain(value))


def test_what_is_too_deep_or_too_long_is_cut() -> None:
    nested: Any = []
    nested.append(nested)
    json.dumps(plain(nested))
    assert len(plain(type("Long", (), {"__repr__": lambda _: "x" * 999})())) == TEXT_MOST
