"""Counts jobs: what each one's record shows goes into the figures, once."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from proxy.job_log import Record
from proxy.request.routes import DEFAULT_ROUTES
from supervisor.link.figures import ANSWERED, CANCELLED, FAILED, OTHER, REFUSED, Figures


class Tally:
    """Counts the jobs of a handler in `figures`.

    Args:
        figures: are added to.
        routes: offered beyond the default ones. Others have a part of a caller's, and count as one.
    """

    def __init__(self, figures: Figures, routes: AbstractSet[str] = frozenset()) -> None:
        self._figures = figures
        self._routes = DEFAULT_ROUTES | routes

    def began(self) -> None:
        """A job is in hand."""
        self._figures.jobs += 1
        self._figures.taken += 1

    def sent(self, record: Record) -> None:
        """The job is about to be sent to the engine; the first time counts."""
        if record.waited is None:
            record.waited = record.age
            self._figures.wait.observe(record.waited)

    def output(self, record: Record) -> None:
        """Something of the answer is on its way; the first of a stream counts."""
        self._figures.batches += 1
        if record.first is None and record.streams and record.ended is None:
            self._figures.first_token.observe(record.age)

    def ended(self, record: Record) -> None:
        """The job is over."""
        figures, outcome = self._figures, record.ended or ANSWERED
        figures.jobs -= 1
        figures.answered += outcome == ANSWERED
        figures.cancelled += outcome == CANCELLED
        figures.failed += outcome in {REFUSED, FAILED}
        route = record.route if record.route in self._routes else OTHER
        figures.ended[f"{outcome} {route}"] += 1
        figures.duration.observe(record.age)
        if record.tokens is not None:
            figures.output_tokens.observe(record.tokens)
        if (pace := record.per_token) is not None:
            figures.per_token.observe(pace)
