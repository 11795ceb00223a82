"""How many tokens a second a worker relays before they come late.

Streams are added until a percent of the tokens takes more than half a second, or some do not come
at all; then the number between is looked for. A run is long enough for what does not keep up to
pile up.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bench.contenders import Contender
from bench.load import Load
from bench.measure import Run, measure

_LATE_MS = 500
_FIRST = 300  # streams
_STEP = 1.3
_NEAR = 1.08  # between what was good and what was not, as a factor: then it is found
_LEAST, _MOST = 30, 6000  # streams
_STREAM_S = 10.0
_SPREAD_S = 3.0  # over which they arrive: their arrival is not what is measured
_FULL = 0.75  # of a core, on average over a run: while streams arrive and end it is not full


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one contender carried, and what was busy when it carried no more."""

    contender: str
    best: Run | None
    beyond: Run | None

    def line(self) -> str:
        """For people."""
        if self.best is None:
            return f"capacity, {self.contender}: under {_LEAST} streams"
        most = self.best.load
        text = (
            f"capacity, {self.contender}: {most.jobs * most.rate:.0f} tokens/s,"
            f" {most.jobs} streams; p99 {self.best.delivered.delay_p99_ms:.0f} ms,"
            f" {self.best.cpu_us_per_token:.1f} us/token; cores {_cores(self.best)}"
        )
        if self.beyond is None:
            return f"{text}; no limit was met"
        return (
            f"{text}; with {self.beyond.load.jobs} streams"
            f" {self.beyond.complaint or f'p99 {self.beyond.delivered.delay_p99_ms:.0f} ms'},"
            f" cores {_cores(self.beyond)}: {limit(self.beyond, os.cpu_count() or 1)}"
        )


async def find(
    contender: Contender,
    model: Load,
    measured: Callable[[Contender, Load, int], Awaitable[Run]] = measure,
) -> Capacity:
    """Look for the capacity of one worker, in about ten runs. Raises ProcessEndedError.

    Args:
        contender: the worker.
        model: its rate and its round trip count.
        measured: runs a load once.
    """
    good: Run | None = None
    bad: Run | None = None
    number = 0
    while streams := following(good.load.jobs if good else None, bad.load.jobs if bad else None):
        number += 1
        load = Load(
            streams,
            tokens=int(_STREAM_S * model.rate),
            rate=model.rate,
            round_trip_ms=model.round_trip_ms,
            spread_s=_SPREAD_S,
            name=str(streams),
        )
        run = await measured(contender, load, number)
        kept_up = not run.complaint and run.delivered.delay_p99_ms < _LATE_MS
        good, bad = (run, bad) if kept_up else (good, run)
        print(
            f"{contender.name}, {streams} streams: p99 {run.delivered.delay_p99_ms:.0f} ms,"
            f" cores {_cores(run)}, others {run.other_cores:.2f}  {run.complaint}",
            flush=True,
        )
    return Capacity(contender.name, good, bad)


def following(good: int | None, bad: int | None) -> int | None:
    """The number of streams to try next; None when nothing is left to find.

    Args:
        good: the highest number that was carried.
        bad: the lowest number that was not.
    """
    if good is None and bad is None:
        return _FIRST
    if good is None or bad is None:
        found = round(good * _STEP) if good else round((bad or 0) / _STEP)
        return found if _LEAST <= found <= _MOST else None
    between = round((good * bad) ** 0.5)
    return between if bad / good > _NEAR and good < between < bad else None


def limit(run: Run, cores: int) -> str:
    """What a run was limited by, as far as the cores tell."""
    shares = {
        "the worker's core": run.worker_cores,
        "the bench's engine": run.engine_cores,
        "the bench's platform": run.platform_cores,
    }
    busiest = max(shares, key=lambda name: shares[name])
    if shares[busiest] >= _FULL:
        return f"{busiest} is the limit"
    if sum(shares.values()) + max(run.other_cores, 0) >= _FULL * cores:
        return f"the machine's {cores} cores are the limit"
    return "no core was full"


def _cores(run: Run) -> str:
    return (
        f"worker/engine/platform {run.worker_cores:.2f}/{run.engine_cores:.2f}"
        f"/{run.platform_cores:.2f}"
    )


def compared(found: Sequence[Capacity]) -> str:
    """Each contender's tokens/s as a ratio to the last one's; empty without a comparison."""
    *others, base = found
    if base.best is None:
        return ""
    return "\n".join(
        f"  {each.contender} / {base.contender}: {each.best.load.jobs / base.best.load.jobs:.2f}"
        for each in others
        if each.best
    )
