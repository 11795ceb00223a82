"""The medians as a picture."""

from __future__ import annotations

from pathlib import Path

from bench.report import Medians

_PLOTTED = ("last first ms", "p50 ms", "p99 ms", "us/token")


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
