"""Observations in buckets."""

from __future__ import annotations

import math

import pytest

from supervisor.link import histogram
from supervisor.link.histogram import Histogram

BOUNDS = (1.0, 2.0, 4.0)


def of(*values: float) -> Histogram:
    made = Histogram(BOUNDS)
    for value in values:
        made.observe(value)
    return made


def test_a_bound_belongs_to_its_bucket() -> None:
    made = of(0.0, 1.0, 1.5, 4.0, 9.0)
    assert list(made.buckets()) == [(1.0, 2), (2.0, 3), (4.0, 4), (math.inf, 5)]
    assert (made.count, made.total) == (5, 15.5)


def test_sums_and_differences_are_new_ones() -> None:
    one, other = of(0.5, 3.0), of(9.0)
    both = one + other
    assert both == of(0.5, 3.0, 9.0)
    assert both - other == one == of(0.5, 3.0)
    assert one != other


def test_it_comes_back_from_json() -> None:
    assert Histogram(BOUNDS).read(of(0.5, 9.0).as_json()) == of(0.5, 9.0)


def test_quantiles_are_estimated_within_their_bucket() -> None:
    made = of(*[0.5] * 50, *[3.0] * 50)
    assert made.quantile(0.25) == 0.5
    assert made.quantile(0.5) == 1.0
    assert made.quantile(0.75) == 3.0
    assert made.quantile(1.0) == 4.0
    assert of(9.0).quantile(0.5) == 4.0, "all that is known of it"
    assert of().quantile(0.5) is None


@pytest.mark.parametrize(
    "bounds",
    [
        histogram.FIRST_TOKEN,
        histogram.PER_TOKEN,
        histogram.DURATION,
        histogram.TOKENS,
        histogram.REQUEST,
    ],
)
def test_bounds_ascend(bounds: histogram.Bounds) -> None:
    assert list(bounds) == sorted(set(bounds))
