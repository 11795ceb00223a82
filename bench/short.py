"""Short jobs: 2,000 that do not stream, of one token each, 300 at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.contenders import Contender
from bench.load import Load
from bench.measure import Run, measure

_JOBS, _AT_ONCE = 2000, 300


@dataclass(frozen=True, slots=True)
class Short:
    """Medians over the rounds of one contender."""

    contender: str
    rounds: int
    jobs_per_s: float
    added_p50_ms: float  # from submission to result, without the engine's time and the network's
    added_p99_ms: float
    cpu_us_per_job: float
    posts: float
    complaint: str

    def line(self) -> str:
        """For people."""
        return (
            f"short jobs, {self.contender}, median of {self.rounds}: {self.jobs_per_s:.0f} jobs/s,"
            f" the worker adds {self.added_p50_ms:.1f} ms (median), {self.added_p99_ms:.1f} ms"
            f" (p99); {self.cpu_us_per_job:.0f} us of CPU a job, {self.posts:.0f} POSTs"
            f"  {self.complaint}"
        )


async def rounds(
    contenders: Sequence[Contender], number: int, model: Load, jobs: int = _JOBS
) -> list[Short]:
    """Let the contenders take turns, `number` times. Raises ProcessEndedError.

    Args:
        contenders: workers.
        number: of rounds.
        model: its rate and its round trip count.
        jobs: of one round.
    """
    load = Load(
        jobs,
        tokens=1,
        rate=model.rate,
        round_trip_ms=model.round_trip_ms,
        spread_s=0,
        at_once=min(_AT_ONCE, jobs),
        streaming=False,
        name="short",
    )
    found: dict[str, list[Run]] = {each.name: [] for each in contenders}
    for count in range(1, number + 1):
        for contender in contenders if count % 2 else reversed(contenders):
            run = await measure(contender, load, count)
            found[contender.name].append(run)
            print(f"round {count}, {of([run]).line()}", flush=True)
    return [of(runs) for runs in found.values()]


def of(runs: Sequence[Run]) -> Short:
    """The medians of one contender's runs."""
    seen = [run.delivered for run in runs]
    return Short(
        contender=runs[0].contender,
        rounds=len(runs),
        jobs_per_s=median(each.jobs_done / max(each.seconds, 1e-9) for each in seen),
        added_p50_ms=median(each.added_p50_ms for each in seen),
        added_p99_ms=median(each.added_p99_ms for each in seen),
        cpu_us_per_job=median(run.cpu_us_per_token for run in runs),
        posts=median(each.posts for each in seen),
        complaint=next((run.complaint for run in runs if run.complaint), ""),
    )
