"""Versions as numbers that can be compared."""

from __future__ import annotations

import pytest

from supervisor.catalog import release


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("0.32.0", (0, 32)),
        ("0.8.5.post1", (0, 8)),
        ("0.32.1.dev5+g1234567.cpu", (0, 32)),
        ("1.0", (1, 0)),
        ("", ()),
        (None, ()),
    ],
)
def test_two_parts_count(version: str | None, number: tuple[int, ...]) -> None:
    assert release.number(version) == number
    assert release.number("0.9.2") < (0, 10)
