"""Figures of several proxies together."""

from __future__ import annotations

from dataclasses import astuple, fields

from supervisor.link.figures import Figures


def test_every_figure_is_added() -> None:
    one = Figures(*range(len(fields(Figures))))
    both = one.plus(Figures(*[100] * len(fields(Figures))))
    assert astuple(both) == tuple(100 + number for number in range(len(fields(Figures))))


def test_nothing_is_added_in_place() -> None:
    one, other = Figures(taken=1), Figures(taken=2)
    assert one.plus(other).taken == 3
    assert (one.taken, other.taken) == (1, 2)
