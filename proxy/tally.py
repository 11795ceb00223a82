"""Counts jobs: what each one's record shows goes into the figures, once."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from proxy.errors import JobError
from proxy.job_log import Record
from supervisor.link.figures import ANSWERED, CANCELLED, FAILED, OTHER, REFUSED, Figures
from supervisor.settings.routes import OFFERED

_SERVERS = 500


class Tally:
    """Counts the jobs of a handler in `figures`.

    Args:
        figures: are added to.
        routes: offered beyond the default ones. Others have a part of a caller's, and count as one.
        own: those of them that the worker answers itself. Such a job counts while it is in hand and
            not when it ends: who asks often would make failures rare, and jobs quick.
    """

    def __init__(
        self,
        figures: Figures,
        routes: AbstractSet[str] = frozenset(),
        own: AbstractSet[str] = frozenset(),
    ) -> None:
        self._figures = figures
        self._routes = OFFERED | routes
        self._own = own

    def began(self) -> None:
        """A job is in hand."""
        self._figures.jobs += 1

    def output(self, record: Record) -> None:
        """Something of the answer is on its way; the first of a stream counts."""
        self._figures.batches += 1
        self._wait(record)
        if record.first is None and record.streams and record.ended is None:
            self._figures.first_token.observe(record.age)

    def ended(self, record: Record) -> None:
        """The job is over."""
        figures = self._figures
        figures.jobs -= 1
        if record.route in self._own:
            return
        self._wait(record)
        route = record.route if record.route in self._routes else OTHER
        count(figures, record.ended or ANSWERED, route)
        figures.duration.observe(record.age)
        if record.tokens is not None:
            figures.output_tokens.observe(record.tokens)
        if (pace := record.per_token) is not None:
            figures.per_token.observe(pace)

    def _wait(self, record: Record) -> None:
        """Count when it was sent, once that is certain: at its first output, or at its end."""
        if record.first is None and record.waited is not None:
            self._figures.wait.observe(record.waited)


def count(figures: Figures, outcome: str, route: str = OTHER) -> None:
    """Count one job that has ended, also one that no handler has seen."""
    figures.answered += outcome == ANSWERED
    figures.cancelled += outcome == CANCELLED
    figures.failed += outcome in {REFUSED, FAILED}
    figures.ended[f"{outcome} {route}"] += 1


def outcome(reason: JobError) -> str:
    """How a job ends that fails with `reason`: what is below 500 is the caller's to mend."""
    return REFUSED if reason.status < _SERVERS else FAILED
