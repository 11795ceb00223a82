"""Values as vLLM reads them."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.request import lax


@pytest.mark.parametrize(
    ("value", "read"),
    [
        *((40, 40), ("40", 40), (40.0, 40), ("+40", 40), (True, 1)),
        *((40.5, None), ("x", None), ("", None), (None, None), ([], None)),
    ],
)
def test_a_whole_number(value: Any, read: int | None) -> None:
    assert lax.whole(value) == read


@pytest.mark.parametrize(("value", "read"), [(0, 0.0), ("0", 0.0), (" 0.5 ", 0.5), ("x", None)])
def test_a_number(value: Any, read: float | None) -> None:
    assert lax.number(value) == read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        *((True, True), (1, True), ("true", True), ("ON", True), (1.0, True)),
        *((False, False), (0, False), ("false", False), ("No", False)),
        *((2, None), ("", None), ("maybe", None), (None, None)),
    ],
)
def test_true_or_false(value: Any, read: bool | None) -> None:
    assert lax.boolean(value) is read
