"""Figures of several proxies together, and on their way."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields
from typing import Any

import pytest

from supervisor.link.figures import Figures
from supervisor.link.histogram import Histogram


def filled(number: int) -> Figures:
    """Each figure another one."""
    made = Figures()
    for place, each in enumerate(fields(Figures), number):
        value: Any = getattr(made, each.name)
        if isinstance(value, Histogram):
            value.observe(place)
        elif isinstance(value, Counter):
            value["answered /v1/models"] += place
        else:
            setattr(made, each.name, place)
    return made


def test_every_figure_is_added() -> None:
    both = filled(1).plus(filled(100))
    for place, each in enumerate(fields(Figures)):
        value = getattr(both, each.name)
        if isinstance(value, Histogram):
            assert (value.count, value.total) == (2, 101 + 2 * place)
        elif isinstance(value, Counter):
            assert value == {"answered /v1/models": 101 + 2 * place}
        else:
            assert value == 101 + 2 * place


def test_nothing_is_added_in_place() -> None:
    one, other = filled(1), filled(2)
    assert one.plus(other).taken == 5
    assert (one, other) == (filled(1), filled(2))


def test_every_figure_comes_through_the_pipe() -> None:
    assert Figures.read(json.loads(json.dumps(filled(1).as_json()))) == filled(1)


@pytest.mark.parametrize(
    "said",
    [
        [],
        {"taken": True},
        {"taken": "1"},
        {"unheard of": 1},
        {"ended": {"a": 1.5}},
        {"ended": 3},
        {"wait": 3},
        {"wait": [[1], 0.0]},
        {"wait": [[0.5] * 22, 0.0]},
        {"wait": [[0] * 22, "much"]},
    ],
)
def test_what_is_no_figures_is_refused(said: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Figures.read(said)


def test_the_totals_are_numbers() -> None:
    totals = filled(1).totals
    assert totals["jobs"] == 1
    assert "wait" not in totals
    assert "ended" not in totals
