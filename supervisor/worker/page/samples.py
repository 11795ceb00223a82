"""The last quarter of an hour in figures, so that whoever begins to look sees what was. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

EVERY = 5.0  # seconds
_KEPT_FOR = 15 * 60.0  # seconds
_LATE = 4 * EVERY  # seconds after which two readings are none of one stretch: a freeze lay between


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known at one time; None where it is not.

    Attributes:
        running: jobs, or requests, that are worked on.
        waiting: that wait for the engine.
        tokens: in answers, all so far.
        first_tokens: how many answers have begun so far.
        first_seconds: for how long they were waited for, together.
        cache: of the KV cache, how much is in use, 0 to 1.
    """

    running: float | None = None
    waiting: float | None = None
    tokens: float | None = None
    first_tokens: float | None = None
    first_seconds: float | None = None
    cache: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What is shown of one time; None where it is not known.

    Attributes:
        at: Unix time.
        running: jobs, or requests, that are worked on.
        waiting: that wait for the engine.
        speed: tokens a second since the sample before.
        first: seconds that the answers that began since then were waited for, their mean.
        cache: of the KV cache, how much is in use, 0 to 1.
    """

    at: float
    running: float | None
    waiting: float | None
    speed: float | None
    first: float | None
    cache: float | None


class Samples:
    """Takes a reading every few seconds; keeps those of a quarter of an hour."""

    def __init__(self) -> None:
        self._kept: deque[Sample] = deque(maxlen=int(_KEPT_FOR / EVERY))
        self._before: Reading | None = None
        self._at = 0.0

    def take(self, reading: Reading, now: float) -> None:
        """Take one in; `now` is Unix time."""
        before, passed = self._before, now - self._at
        self._before, self._at = reading, now
        if before is None or not 0 < passed <= _LATE:
            before = Reading()
        tokens = _more(before.tokens, reading.tokens)
        begun = _more(before.first_tokens, reading.first_tokens)
        waited = _more(before.first_seconds, reading.first_seconds)
        self._kept.append(
            Sample(
                round(now, 1),
                reading.running,
                reading.waiting,
                None if tokens is None else round(tokens / passed, 1),
                None if not begun or waited is None else round(waited / begun, 4),
                None if reading.cache is None else round(reading.cache, 4),
            )
        )

    def since(self, at: float) -> Sequence[Sample]:
        """Those that were taken after `at`, in Unix time, the oldest first."""
        return [sample for sample in self._kept if sample.at > at]


def _more(before: float | None, now: float | None) -> float | None:
    """By how much a count has grown. One that is smaller began anew, with its engine."""
    if before is None or now is None:
        return None
    return now - before if now >= before else now
