"""Medians of the rounds, as a table, as JSON and as a plot."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from bench.load import Load
from bench.measure import Run
from bench.start import Start

FIGURES: dict[str, Callable[[Run], float]] = {
    "CPU us/token": lambda run: run.cpu_us_per_token,
    "with start-up": lambda run: run.cpu_whole_us_per_token,
    "p50 ms": lambda run: run.delivered.delay_p50_ms,
    "p99 ms": lambda run: run.delivered.delay_p99_ms,
    "first ms": lambda run: run.delivered.first_token_p50_ms,
    "POSTs": lambda run: float(run.delivered.posts),
    "MB": lambda run: run.worker_mb,
}
PLOTTED = ("CPU us/token", "p50 ms", "p99 ms", "POSTs")
OWN = ("engine", "platform")
BUSY = 0.9  # of a core: an engine or platform above it would itself be what is measured

Medians = dict[tuple[int, str], dict[str, float]]


def medians(runs: Sequence[Run]) -> Medians:
    """The median of each figure, by number of streams and contender."""
    kinds = dict.fromkeys((run.load.streams, run.contender) for run in runs)
    of = {kind: [r for r in runs if (r.load.streams, r.contender) == kind] for kind in kinds}
    return {
        kind: {name: median(map(figure, those)) for name, figure in FIGURES.items()}
        for kind, those in of.items()
    }


def table(found: Medians, baseline: str) -> str:
    """The medians, and under each other contender its ratio to the baseline."""
    lines = [f"{'streams':>7}  {'contender':<22}" + "".join(f"{name:>14}" for name in FIGURES)]
    for (streams, contender), figures in sorted(found.items(), key=lambda item: item[0][0]):
        values = "".join(f"{figures[name]:>14.1f}" for name in FIGURES)
        lines.append(f"{streams:>7}  {contender:<22}{values}")
        base = found.get((streams, baseline))
        if base and contender != baseline:
            ratios = "".join(f"{figures[name] / (base[name] or 1):>14.2f}" for name in FIGURES)
            lines.append(f"{'':>7}  {'  / ' + baseline:<22}{ratios}")
    return "\n".join(lines)


def remarks(runs: Sequence[Run]) -> list[str]:
    """What makes a run's figures doubtful."""
    found = [
        f"{run.contender}, {run.load.streams} streams, round {run.round}: {run.complaint}"
        for run in runs
        if run.complaint
    ]
    most = {name: max(getattr(run, f"{name}_cores") for run in runs) for name in OWN}
    return found + [
        f"the {name} used {cores:.2f} cores: it may be the bottleneck"
        for name, cores in most.items()
        if cores > BUSY
    ]


def write_json(path: Path, start: Start, runs: Sequence[Run], found: Medians) -> None:
    """The start, all figures of all runs, and their medians."""
    body = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "start": asdict(start),
        "runs": [asdict(run) for run in runs],
        "medians": [
            {"streams": streams, "contender": contender, **figures}
            for (streams, contender), figures in found.items()
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=1) + "\n")


def plot(path: Path, found: Medians, load: Load, rounds: int) -> None:
    """A panel for each plotted figure, a bar for each contender at each number of streams."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    contenders = list(dict.fromkeys(contender for _, contender in found))
    streams = sorted({count for count, _ in found})
    figure, panels = pyplot.subplots(1, len(PLOTTED), figsize=(4 * len(PLOTTED), 4))
    width = 0.8 / len(contenders)
    for panel, name in zip(panels, PLOTTED, strict=True):
        for number, contender in enumerate(contenders):
            here = [at + (number - (len(contenders) - 1) / 2) * width for at in range(len(streams))]
            heights = [found[count, contender][name] for count in streams]
            bars = panel.bar(here, heights, width, label=contender)
            panel.bar_label(bars, fmt="%.0f", fontsize=7, padding=2)
        panel.set_title(name)
        panel.set_xticks(range(len(streams)), [str(count) for count in streams])
        panel.set_xlabel("streams")
        panel.spines[["top", "right"]].set_visible(False)
        if name == "POSTs":
            panel.set_yscale("log")
    panels[0].legend(frameon=False)
    figure.suptitle(
        f"{load.tokens} tokens a stream at {load.rate:g}/s, {load.round_trip_ms:g} ms to the "
        f"platform, medians of {rounds}"
    )
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
