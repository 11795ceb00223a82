"""What the proxy has to reach beside worker-vllm's handler: ratios of medians. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.report import Medians


@dataclass(frozen=True, slots=True)
class Goal:
    """In a load, a figure of ours is at most that share of the baseline's."""

    load: str
    figure: str
    most: float


GOALS = (
    Goal("burst-300", "last first ms", 0.8),
    Goal("300", "us/token", 0.75),
    Goal("300", "p50 ms", 0.6),
    Goal("300", "p99 ms", 0.8),
    Goal("30", "us/token", 0.8),
    Goal("30", "p50 ms", 1.1),
    Goal("1", "p50 ms", 1.3),
    Goal("1", "first ms", 0.7),
)


def lines(found: Medians, baseline: str) -> Iterator[str]:
    """For each contender but the baseline, each goal whose load was run: met or missed."""
    for contender in dict.fromkeys(name for _, name in found):
        for goal in GOALS if contender != baseline else ():
            ours, theirs = (found.get((goal.load, name)) for name in (contender, baseline))
            if ours and theirs:
                ratio = ours[goal.figure] / (theirs[goal.figure] or 1)
                word = "met   " if ratio <= goal.most else "missed"
                yield (
                    f"{word}  {contender}: {goal.load} streams, {goal.figure}: {ratio:.2f} of"
                    f" {baseline}; at most {goal.most:g}"
                )
