"""What became of a run's jobs: none may be lost, and none answered twice. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.scale import jobs


@dataclass(frozen=True)
class Verdict:
    """Sentences, each about one job or worker, or about a cut that did not happen as asked."""

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    uncut: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.lost or self.twice or self.away or self.uncut)


@dataclass(frozen=True)
class Cut:
    """What became of the cut.

    Attributes:
        asked: workers that were to be cut off; 0: none.
        back: those that were: seconds until they were heard again, None for never.
        connections: of theirs that were cut.
    """

    asked: int = 0
    back: Mapping[str, float | None] = field(default_factory=dict)
    connections: int = 0


def judge(found: Iterable[Mapping[str, Any]], runs: Counter[int], cut: Cut) -> Verdict:
    """Judge a run.

    Args:
        found: what the platform knows of each job, in the order of their numbers.
        runs: how often workers have run each job to its end, by its number.
        cut: what became of the cut.
    """
    away = [f"{name} is not back" for name, back in cut.back.items() if back is None]
    verdict = Verdict(away=away, uncut=list(_uncut(cut)))
    for number, job in enumerate(found):
        if why := _lost(number, job):
            verdict.lost.append(f"job {number}, {job['id']}: {why}")
        if why := _twice(job, runs[number]):
            verdict.twice.append(f"job {number}, {job['id']}: {why}")
    return verdict


def _uncut(cut: Cut) -> Iterator[str]:
    if len(cut.back) < cut.asked:
        yield f"{cut.asked} workers were to be cut off, and {len(cut.back)} were"
    elif cut.asked and not cut.connections:
        yield f"{cut.asked} workers were cut off, and had no connection"


def _lost(number: int, job: Mapping[str, Any]) -> str | None:
    if job["status"] != "COMPLETED":
        return f"it is {job['status']} {job.get('error') or ''}".strip()
    expected, told = list(range(jobs.tokens_of(number))), jobs.told(job["output"])
    return None if told == expected else f"its answer has the tokens {told}, not {expected}"


def _twice(job: Mapping[str, Any], runs: int) -> str | None:
    if job["done"] > 1:
        return f"its end was reported {job['done']} times"
    if runs > 1:
        return f"it was run {runs} times"
    streamed = [post["output"] for post in job["posts"]]
    if job["status"] == "COMPLETED" and streamed != job["output"]:
        return f"its stream had {len(streamed)} outputs, its result {len(job['output'])}"
    return None
