"""Figures of the proxy's work. The proxy counts and reports them, the supervisor adds them up."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Figures:
    """Totals since a start, and how many jobs are in hand. A proxy counts in one of these."""

    jobs: int = 0  # in hand
    taken: int = 0
    answered: int = 0
    failed: int = 0
    cancelled: int = 0
    resent: int = 0  # sent to the engine a second time
    refused: int = 0  # of the failed: the engine answered with a 4xx
    engine_errors: int = 0  # answers of the engine with a 5xx
    tokens: int = 0
    batches: int = 0
    bytes: int = 0  # of streams

    def plus(self, other: Figures) -> Figures:
        """The sums of both."""
        return Figures(
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(self))
        )
