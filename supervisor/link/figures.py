"""Figures of the proxy's work. The proxy counts and reports them, the supervisor adds them up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from .histogram import DURATION, FIRST_TOKEN, PER_TOKEN, REQUEST, TOKENS, Bounds, Histogram

#: How jobs end. REFUSED: with a 4xx, which is the caller's to mend.
ANSWERED, REFUSED, FAILED, CANCELLED = "answered", "refused", "failed", "cancelled"
#: How outputs get to the platform: at the first try, at a later one, not at all.
SENT, RETRIED, LOST = "ok", "retried", "lost"
#: What polls for jobs bring.
JOBS, EMPTY, UNANSWERED = "jobs", "empty", "failed"
#: The route of a job whose own is not one of a bounded set: a caller may have made it up.
OTHER = "other"


class Unresumed(StrEnum):
    """Why a stream ends with its engine; these words label a figure."""

    OFF = "off"
    ROUTE = "route"
    SEQUENCES = "sequences"
    TOOLS = "tools"
    REASONING = "reasoning"
    STRUCTURE = "structured_outputs"
    LOGPROBS = "log_probabilities"
    ECHO = "echo"
    BEAM_SEARCH = "beam_search"
    PENALTIES = "penalties"
    MIN_TOKENS = "min_tokens"
    OTHER = "other_parameters"
    VERSION = "version"
    TOO_LARGE = "too_large"
    SECOND_LOSS = "second_loss"
    TEMPLATE = "template"
    REFUSED = "refused"
    NO_ENGINE = "no_engine"
    FAILED = "failed"  # it had begun to go on; the error is that of the engine which lives


def _histogram(bounds: Bounds) -> Callable[[], Histogram]:
    return lambda: Histogram(bounds)


@dataclass(slots=True)
class Figures:
    """Totals since a start, and how many jobs are in hand. A proxy counts in one of these."""

    jobs: int = 0  # in hand
    taken: int = 0  # counted by the journal: a job that the next proxy runs again is no other one
    answered: int = 0
    failed: int = 0
    cancelled: int = 0
    resent: int = 0  # sent to the engine a second time
    refused: int = 0  # of the failed: the engine answered with a 4xx
    engine_errors: int = 0  # answers of the engine with a 5xx
    tokens: int = 0
    batches: int = 0
    bytes: int = 0  # of streams
    resumed: int = 0  # streams that went on with another engine, to their end
    ended: Counter[str] = field(default_factory=Counter)  # jobs, by `OUTCOME ROUTE`
    unresumed: Counter[str] = field(default_factory=Counter)  # streams that did not, by the reason
    posts: Counter[str] = field(default_factory=Counter)  # outputs and results, by what became
    polls: Counter[str] = field(default_factory=Counter)  # by what they brought
    # Seconds; from when the proxy began a job, where nothing else is said.
    wait: Histogram = field(default_factory=_histogram(FIRST_TOKEN))  # until it was sent
    first_token: Histogram = field(default_factory=_histogram(FIRST_TOKEN))  # of streams
    per_token: Histogram = field(default_factory=_histogram(PER_TOKEN))  # after the first output
    duration: Histogram = field(default_factory=_histogram(DURATION))
    output_tokens: Histogram = field(default_factory=_histogram(TOKENS))  # no seconds: tokens
    post: Histogram = field(default_factory=_histogram(REQUEST))  # until the platform answered

    def plus(self, other: Figures) -> Figures:
        """The sums of both."""
        return Figures(
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(self))
        )

    @property
    def totals(self) -> dict[str, int]:
        """Those that are one number each."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, int)}

    def as_json(self) -> dict[str, Any]:
        """All of them, for `read`."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def read(cls, said: Any) -> Figures:
        """What `as_json` gave.

        Raises:
            TypeError, ValueError: it is none.
        """
        if not isinstance(said, dict):
            raise TypeError("no figures")
        empty = cls()
        return cls(**{name: _read(getattr(empty, name, None), each) for name, each in said.items()})


def _plain(value: Any) -> Any:
    return value.as_json() if isinstance(value, Histogram) else value


def _read(of: Any, said: Any) -> Any:
    """What was said, as a value of the kind of `of`."""
    if isinstance(of, Histogram):
        return of.read(said)
    if isinstance(of, Counter):
        return Counter({name: _count(each) for name, each in dict(said).items()})
    return _count(said)


def _count(said: Any) -> int:
    if type(said) is not int:
        raise TypeError("no count")
    return said
