"""Histograms: observations in buckets of fixed bounds.

The bounds of times and tokens are those of OpenTelemetry's conventions for GenAI servers, which go
on here as vLLM's own do: a job may wait for the start of an engine.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

Bounds = tuple[float, ...]

FIRST_TOKEN: Bounds = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 640.0),
)
PER_TOKEN: Bounds = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
DURATION: Bounds = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    *(163.84, 327.68, 655.36),
)
TOKENS: Bounds = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0)
#: Of a request to the platform.
REQUEST: Bounds = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Histogram:
    """How many observations fell into which bucket, and their sum.

    Args:
        bounds: the upper bound of each bucket but the last, which has none; ascending.
        counts: of each bucket, one more than there are bounds; None: nothing was observed.
        total: the sum of what was observed.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(
        self, bounds: Bounds, counts: Sequence[int] | None = None, total: float = 0.0
    ) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1) if counts is None else list(counts)
        self.total = total

    def observe(self, value: float) -> None:
        """Count `value` into the first bucket whose bound is not below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def buckets(self) -> Iterator[tuple[float, int]]:
        """Each bound, the last one infinite, and how many observations were not above it."""
        return zip((*self.bounds, math.inf), accumulate(self.counts), strict=True)

    def quantile(self, share: float) -> float | None:
        """What so large a share of the observations is not above: an estimate, as Prometheus' own.

        Returns:
            None without any. Of the last bucket its lower bound is all that is known.
        """
        wanted = share * self.count
        below, seen = 0.0, 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            if count and seen + count >= wanted:
                return below + (bound - below) * (wanted - seen) / count
            below, seen = bound, seen + count
        return below if self.count else None

    def __add__(self, other: Histogram) -> Histogram:
        return self._with(other, 1)

    def __sub__(self, other: Histogram) -> Histogram:
        return self._with(other, -1)

    def _with(self, other: Histogram, sign: int) -> Histogram:
        counts = [one + sign * two for one, two in zip(self.counts, other.counts, strict=True)]
        return Histogram(self.bounds, counts, self.total + sign * other.total)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return self.as_json() == other.as_json() and self.bounds == other.bounds

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Histogram({self.count} observations, {self.total} in all)"

    def as_json(self) -> list[Any]:
        """The count of each bucket, and the sum; `read` takes it."""
        return [self.counts, self.total]

    def read(self, said: Any) -> Histogram:
        """One with the bounds of this, of what `as_json` gave.

        Raises:
            TypeError, ValueError: it is none.
        """
        counts, total = said
        if len(counts) != len(self.counts) or any(type(each) is not int for each in counts):
            raise ValueError("no histogram of these bounds")
        return Histogram(self.bounds, counts, float(total))
