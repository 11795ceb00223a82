"""Metrics overhead: what counting costs the proxy, as a share of all of its CPU time.

Whole runs differ by ten percent, and it is less than one. So the same recorded stream is relayed
again and again in one process, in turn with metrics and without, and the differences of these pairs
have a median. Its share is of a run's CPU time, with sockets and all that a worker does.
"""

from __future__ import annotations

import contextlib
import json
import logging
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.around.recorded import AT_A_TIME, Relayed
from bench.measure import Run
from supervisor.link.figures import SENT, Figures

PAIRS = 1000
MOST = 0.01  # of the CPU time: the goal
_REPORTS_EACH_S = 1.0  # see `supervisor.link.report`
_TIMES = 2000  # that what takes no longer than the clock's step is repeated

#: Relays one stream.
Relay = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Overhead:
    """CPU time in us: of the metrics of an output, of relaying it, of a report of all figures."""

    pairs: int
    output_us: float
    relay_us: float
    report_us: float

    def share(self, run: Run) -> float:
        """Of the CPU time of a run's worker."""
        seen = run.delivered
        counted = self.output_us * seen.posts + self.report_us * seen.seconds / _REPORTS_EACH_S
        return counted / (run.cpu_us_per_token * max(seen.tokens, 1))

    def line(self, runs: Sequence[Run]) -> str:
        """For people; the share is the median over the runs."""
        share = statistics.median(map(self.share, runs))
        per_token = statistics.median(run.cpu_us_per_token for run in runs)
        return (
            f"metrics overhead: {self.output_us:.2f} us an output (median of {self.pairs} pairs;"
            f" relaying one without sockets takes {self.relay_us:.1f} us), {self.report_us:.1f} us"
            f" a report; {share:.2%} of the worker's {per_token:.0f} us a token with"
            f" {runs[0].load.name}; at most {MOST:.0%}: {'met' if share <= MOST else 'missed'}"
        )


async def measure(pairs: int = PAIRS) -> Overhead:
    """Relay so many pairs of streams."""
    counted, silent = Relayed(), Relayed(counts=False)
    with _quiet():
        for each in (counted, silent):
            await each.relay()
        differences, whole = await paired(counted.relay, silent.relay, pairs)
    outputs = counted.outputs // (pairs + 1)
    return Overhead(
        pairs,
        differences / outputs + _took_us(lambda: _still_counted(silent.figures)),
        whole / outputs,
        _took_us(lambda: json.dumps(counted.figures.as_json())),
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without each job's line, which is the same for both."""
    log = logging.getLogger("proxy")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)


async def paired(one: Relay, other: Relay, pairs: int) -> tuple[float, float]:
    """The median of what `one` takes more than `other`, and the median of it; us of CPU time.

    Who is first changes from pair to pair.
    """
    more, whole = [], []
    for number in range(pairs):
        took = {}
        for relay in (one, other) if number % 2 else (other, one):
            began = time.process_time_ns()
            await relay()
            took[relay] = (time.process_time_ns() - began) / 1000
        more.append(took[one] - took[other])
        whole.append(took[one])
    return statistics.median(more), statistics.median(whole)


def _took_us(work: Callable[[], object]) -> float:
    """CPU time of one of many times, without that of the call."""
    times = []
    for each in (work, lambda: None):
        began = time.process_time_ns()
        for _ in range(_TIMES):
            each()
        times.append((time.process_time_ns() - began) / 1000 / _TIMES)
    return times[0] - times[1]


def _still_counted(figures: Figures) -> None:
    """What both of a pair count at each output: plain integers, which no stub can leave out."""
    figures.tokens += AT_A_TIME
    figures.bytes += 600
    figures.posts[SENT] += 1
