"""Medians of the rounds, as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from bench.measure import Run

FIGURES: dict[str, Callable[[Run], float]] = {
    "first ms": lambda run: run.delivered.first_p50_ms,
    "last first ms": lambda run: run.delivered.first_last_ms,
    "p50 ms": lambda run: run.delivered.delay_p50_ms,
    "p99 ms": lambda run: run.delivered.delay_p99_ms,
    "end ms": lambda run: run.delivered.end_p50_ms,
    "us/token": lambda run: run.cpu_us_per_token,
    "POSTs": lambda run: float(run.delivered.posts),
    "whole s": lambda run: run.delivered.seconds,
    "MB": lambda run: run.worker_mb,
}
LEGEND = (
    "first: from a job's submission to its first token at the platform, median and longest;"
    " p50, p99: from the engine's token to the platform; end: from its last token to the result,"
    " median; us/token: CPU of the worker's processes"
)
_OWN = ("engine", "platform")  # of what is around the worker
_BUSY = 0.9  # of a core: an engine or platform above it would itself be what is measured
_DISTURBED = 0.2  # cores that others had

#: By load and contender.
Medians = dict[tuple[str, str], dict[str, float]]


def line(run: Run) -> str:
    """One run, for people."""
    seen = run.delivered
    busy = f"{run.worker_cores:.2f}/{run.engine_cores:.2f}/{run.platform_cores:.2f}"
    return (
        f"{run.load.name:<14} round {run.round}, {run.contender:<14}"
        f" first {seen.first_p50_ms:6.0f} last {seen.first_last_ms:6.0f} ms "
        f" p50 {seen.delay_p50_ms:6.1f} p99 {seen.delay_p99_ms:6.1f} ms "
        f"{run.cpu_us_per_token:7.1f} us/token {seen.posts:>6} POSTs {seen.seconds:5.1f} s "
        f" cores worker/engine/platform {busy}, others {run.other_cores:.2f}  {run.complaint}"
    )


def medians(runs: Sequence[Run]) -> Medians:
    """The median of each figure, by load and contender."""
    kinds = dict.fromkeys((run.load.name, run.contender) for run in runs)
    of = {kind: [r for r in runs if (r.load.name, r.contender) == kind] for kind in kinds}
    return {
        kind: {name: median(map(figure, those)) for name, figure in FIGURES.items()}
        for kind, those in of.items()
    }


def table(found: Medians, baseline: str) -> str:
    """The medians, and under each other contender its ratio to the baseline."""
    lines = [f"{'load':<14} {'contender':<22}" + "".join(f"{name:>14}" for name in FIGURES)]
    for load in dict.fromkeys(load for load, _ in found):
        base = found.get((load, baseline))
        here = [(name, figures) for (where, name), figures in found.items() if where == load]
        for contender, figures in sorted(here, key=lambda each: each[0] == baseline):
            values = "".join(f"{figures[name]:>14.1f}" for name in FIGURES)
            lines.append(f"{load:<14} {contender:<22}{values}")
            if base and contender != baseline:
                ratios = "".join(f"{figures[name] / (base[name] or 1):>14.2f}" for name in FIGURES)
                lines.append(f"{'':<14} {'  / ' + baseline:<22}{ratios}")
    return "\n".join([*lines, LEGEND])


def remarks(runs: Sequence[Run]) -> list[str]:
    """What makes a run's figures doubtful."""
    found = [
        f"{run.contender}, {run.load.name} streams, round {run.round}: {run.complaint}"
        for run in runs
        if run.complaint
    ]
    for name in _OWN:
        busiest = max(runs, key=lambda run: getattr(run, f"{name}_cores"))
        if (cores := getattr(busiest, f"{name}_cores")) > _BUSY:
            found.append(
                f"the {name} used {cores:.2f} cores in {busiest.load.name}: it may be the limit"
            )
    disturbed = sum(run.other_cores > _DISTURBED for run in runs)
    if disturbed:
        found.append(
            f"in {disturbed} of {len(runs)} runs other processes used over {_DISTURBED:g} cores:"
            " measure again on a quiet machine"
        )
    return found


def write_json(path: Path, runs: Sequence[Run], found: Medians) -> None:
    """All figures of all runs, and their medians."""
    body = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "runs": [asdict(run) for run in runs],
        "medians": [
            {"load": load, "contender": contender, **figures}
            for (load, contender), figures in found.items()
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=1) + "\n")
