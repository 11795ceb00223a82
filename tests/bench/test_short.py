"""What is told of short jobs."""

from __future__ import annotations

from bench.load import Load
from bench.short import of
from tests.bench.runs import run

LOAD = Load(100, 1, streaming=False, name="short")


def test_medians_of_the_rounds() -> None:
    runs = [run(load=LOAD, seconds=each, added_p50_ms=each) for each in (1.0, 4.0, 2.0)]
    found = of(runs)
    assert (found.jobs_per_s, found.added_p50_ms, found.rounds) == (50, 2, 3)
    assert found.complaint == ""
    assert "50 jobs/s" in found.line()


def test_a_round_that_does_not_count_is_named() -> None:
    assert "only 3 of 100 jobs" in of([run(load=LOAD), run(load=LOAD, jobs_done=3)]).line()
