"""What one run asks of a worker, and what came of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

# In the content of each token: its number in the stream and when the engine sent it
# (time.monotonic_ns, one clock for all processes of a machine).
MARK = re.compile(r"~(\d+):(\d+)~")
LONGEST_MARK = 40  # characters
MODEL = "bench"


@dataclass(frozen=True)
class Load:
    """One run: that many jobs, each a stream of that many tokens."""

    streams: int
    tokens: int
    rate: float = 50  # tokens/s of one stream
    round_trip_ms: float = 20
    spread_s: float = 1  # over which the jobs arrive, so that the streams are not in lock-step
    seed: int = 1

    @property
    def total(self) -> int:
        """Tokens of all jobs together."""
        return self.streams * self.tokens

    @property
    def limit_s(self) -> float:
        """When a run is given up: four times what the streams take, and a minute."""
        return 60 + 4 * (self.spread_s + self.tokens / self.rate)


@dataclass(frozen=True)
class Delivered:
    """What the platform saw of one run."""

    seconds: float  # from the first job handed out to the last one done
    posts: int  # of partial results
    jobs_done: int
    jobs_failed: int
    tokens: int
    tokens_out_of_order: int  # or sent twice
    delay_p50_ms: float
    delay_p90_ms: float
    delay_p99_ms: float
    delay_max_ms: float
    first_token_p50_ms: float  # median over the jobs
    problem: str = ""  # of the first job that failed

    def complaint(self, load: Load) -> str:
        """Why this run does not count; empty if every token came once and in order."""
        if self.problem:
            return self.problem
        if self.jobs_done != load.streams:
            return f"only {self.jobs_done} of {load.streams} jobs were done in time"
        if self.tokens != load.total or self.tokens_out_of_order:
            return f"{self.tokens} of {load.total} tokens, {self.tokens_out_of_order} out of order"
        return ""


def percentile(values: list[float], share: float) -> float:
    """The value below which that share (0 to 1) of the values lies; 0.0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
