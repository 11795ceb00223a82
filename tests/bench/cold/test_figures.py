"""Goals are ratios of medians, and told only where they say something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.cold import figures
from bench.cold.setups import HUB, LOCAL, SECOND, VOLUME
from bench.cold.start import BARE, OURS, WARM, Start

START = Start(36.0, 36.1, 36.2, 100.0, 90.0, 0.0)


def told(starts: figures.Starts, alone: figures.Alone) -> list[str]:
    return [goal.line() for goal in figures.goals(starts, alone)]


def of(health_s: float, **more: float) -> list[Start]:
    return [replace(START, health_s=health_s, **more)]


def test_a_start_is_to_take_as_long_as_its_longest_part() -> None:
    for setup in (HUB, VOLUME):
        starts = {(LOCAL, OURS): of(36.0), (setup, OURS): of(41.4)}
        (line,) = told(starts, {setup: [28.0]})
        assert line.startswith(f"met     {setup}: ")
        assert "1.150, 41.4 s with" in line
        starts[setup, OURS] = of(41.5)
        assert told(starts, {setup: [28.0]})[0].startswith("missed")
        starts[setup, OURS] = of(64.0)
        assert "1.143, 64.0 s" in told(starts, {setup: [56.0]})[0]


def test_parts_that_are_too_far_apart_say_nothing() -> None:
    starts = {(LOCAL, OURS): of(36.0), (HUB, OURS): of(37.0)}
    assert "open " in told(starts, {HUB: [14.0]})[0]
    assert "met " in told(starts, {HUB: [14.5]})[0]
    assert "local was not measured" in told({(HUB, OURS): of(37.0)}, {HUB: [28.0]})[0]
    assert "local was not measured" in told(starts, {})[0]


@pytest.mark.parametrize("setup", [LOCAL, SECOND])
def test_a_model_on_disk_starts_as_fast_as_bare(setup: str) -> None:
    starts = {
        (setup, BARE): of(100.0, token_s=101.0),
        (setup, OURS): of(102.0),
        (setup, WARM): of(102.0, token_s=101.1, first_ms=130.0, tenth_ms=100.0),
    }
    assert all(f" {setup}: " in line for line in told(starts, {}))
    assert [line.split()[0] for line in told(starts, {})] == ["met", "missed", "met"]
    starts[setup, OURS] = of(102.1)
    starts[setup, WARM] = of(1.0, token_s=101.0, first_ms=131.0, tenth_ms=100.0)
    assert [line.split()[0] for line in told(starts, {})] == ["missed", "met", "missed"]


def test_our_own_share() -> None:
    lines = [goal.line().split()[0] for goal in figures.of_process(100.0, 61.0, 10.0)]
    assert lines == ["met", "missed"]


def test_medians_are_of_each_figure() -> None:
    three = [*of(1.0, first_ms=9.0), *of(2.0, first_ms=7.0), *of(9.0, first_ms=8.0)]
    found = figures.medians({(LOCAL, OURS): three, (LOCAL, BARE): []})
    assert set(found) == {(LOCAL, OURS)}
    assert (found[LOCAL, OURS].health_s, found[LOCAL, OURS].first_ms) == (2.0, 8.0)
    head, row = figures.table({(LOCAL, OURS): three})
    assert row.split() == "local ours 2.0 s 36.1 s 36.2 s 8 ms 90 ms".split()
    assert len(head) == len(row)


def test_other_work_is_named() -> None:
    starts = {(LOCAL, OURS): [START, replace(START, other_cores=0.5)]}
    assert list(figures.remarks(starts)) == [
        "local, ours, round 2: 0.5 cores were busy with something else"
    ]
