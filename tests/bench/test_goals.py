"""Goals are ratios, and told only where their load was run."""

from __future__ import annotations

from bench import goals, report
from bench.arguments import parse
from bench.load import Load
from tests.bench.runs import run

BURST = Load(300, 0, name="burst-300")


def told(ours: float, theirs: float) -> list[str]:
    runs = [
        run(load=BURST, first_last_ms=ours),
        run("theirs", BURST, first_last_ms=theirs),
    ]
    return list(goals.lines(report.medians(runs), "theirs"))


def test_met_and_missed() -> None:
    assert [each.split()[0] for each in told(80, 100)] == ["met"]
    assert [each.split()[0] for each in told(81, 100)] == ["missed"]
    assert "0.81 of theirs; at most 0.8" in told(81, 100)[0]


def test_without_a_baseline_nothing_is_told() -> None:
    assert list(goals.lines(report.medians([run(load=BURST)]), "theirs")) == []


def test_every_goal_is_of_a_load_that_runs_and_a_figure_that_is_taken() -> None:
    assert {goal.load for goal in goals.GOALS} <= {load.name for load in parse([]).loads}
    assert {goal.figure for goal in goals.GOALS} <= set(report.FIGURES)
