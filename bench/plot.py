"""The medians as a picture, and one stream as its caller sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.measure import Run
from bench.report import Medians

_PLOTTED = ("last first ms", "p50 ms", "p99 ms", "us/token")


_SHOWN_S = 1.5  # of a stream: longer, and its steps are too small to be seen
#: Of the lines, on white: the engine, then the contenders.
_COLOURS = ("#9aa0a6", "#1a73e8", "#d93025", "#188038", "#f9ab00")


def tokens(path: Path, runs: Sequence[Run]) -> None:
    """One stream of each run, as its caller sees it come: tokens over time, as a small SVG.

    Args:
        path: of the picture.
        runs: one of each contender, with the same load.
    """
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    # Text stays text, and the same figures are the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "", "font.family": "sans-serif"}):
        figure, panel = pyplot.subplots(figsize=(8, 3.6))
        sent = [first for first, _ in runs[0].delivered.stream]
        lines = [("the engine sends", sent)]
        lines += [(run.contender, [last for _, last in run.delivered.stream]) for run in runs]
        for (name, times), colour in zip(lines, _COLOURS, strict=False):
            seconds = [each / 1000 for each in times if each < _SHOWN_S * 1000]
            panel.step(seconds, range(1, len(seconds) + 1), colour, where="post", label=name)
        load = runs[0].load
        title = f"One of {load.jobs} streams of {load.rate:g} tokens/s, its first {_SHOWN_S:g} s"
        panel.set_title(title, fontsize=11)
        panel.set_xlabel("seconds since its job was submitted")
        panel.set_ylabel("tokens that its caller has")
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False, loc="upper left")
        figure.tight_layout()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def plot(path: Path, found: Medians, title: str) -> None:
    """A panel for each plotted figure, a bar for each contender under each load."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    contenders = list(dict.fromkeys(contender for _, contender in found))
    loads = list(dict.fromkeys(load for load, _ in found))
    figure, panels = pyplot.subplots(2, 2, figsize=(12, 8))
    width = 0.8 / len(contenders)
    for panel, name in zip(panels.flat, _PLOTTED, strict=True):
        for number, contender in enumerate(contenders):
            here = [at + (number - (len(contenders) - 1) / 2) * width for at in range(len(loads))]
            heights = [found[load, contender][name] for load in loads]
            bars = panel.bar(here, heights, width, label=contender)
            panel.bar_label(bars, fmt="%.0f", fontsize=6, padding=2)
        panel.set_title(name)
        panel.set_xticks(range(len(loads)), loads, rotation=20, fontsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0, 0].legend(frameon=False)
    figure.suptitle(title)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
