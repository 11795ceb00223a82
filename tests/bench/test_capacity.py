"""The search for the most streams, and what is said of its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.capacity import Capacity, compared, find, following, limit
from bench.contenders import Contender
from bench.load import Load
from bench.measure import Run
from tests.bench.runs import run


def search(most: int) -> Iterator[int]:
    """The numbers that are tried where so many streams are carried."""
    good: int | None = None
    bad: int | None = None
    while streams := following(good, bad):
        yield streams
        good, bad = (streams, bad) if streams <= most else (good, streams)


@pytest.mark.parametrize("most", [40, 150, 299, 300, 301, 555, 1000, 3000])
def test_the_search_ends_near_what_is_carried(most: int) -> None:
    tried = list(search(most))
    best = max(each for each in tried if each <= most)
    assert most / 1.09 < best <= most
    assert len(tried) == len(set(tried)) <= 16


@pytest.mark.parametrize("most", [0, 10, 10**9])
def test_the_search_ends_where_there_is_no_limit(most: int) -> None:
    assert len(list(search(most))) < 16


@pytest.mark.parametrize(
    ("busy", "said"),
    [
        ({"worker_cores": 0.97, "engine_cores": 0.5}, "the worker's core is the limit"),
        ({"worker_cores": 0.5, "engine_cores": 0.97}, "the bench's engine is the limit"),
        ({"worker_cores": 0.7, "engine_cores": 0.6, "platform_cores": 0.6}, "2 cores are the"),
        ({"worker_cores": 0.7, "other_cores": 1.2}, "2 cores are the limit"),
        ({"worker_cores": 0.3}, "no core was full"),
    ],
)
def test_what_the_limit_was(busy: dict[str, Any], said: str) -> None:
    assert said in limit(run(**busy), 2)


async def test_a_worker_is_asked_for_more_until_tokens_come_late_or_not_at_all() -> None:
    asked: list[Load] = []

    async def measured(contender: Contender, load: Load, number: int) -> Run:
        assert number == len(asked) + 1
        asked.append(load)
        late = 600.0 if load.jobs > 450 else 400.0
        lost = {"jobs_done": 0} if load.jobs > 420 else {}
        return run(contender.name, load, delay_p99_ms=late, **lost)

    found = await find(Contender("ours", ["it"]), Load(1, 1, rate=20, round_trip_ms=7), measured)
    assert found.best is not None
    assert found.beyond is not None
    assert 420 / 1.09 < found.best.load.jobs <= 420 < found.beyond.load.jobs
    assert {(each.rate, each.round_trip_ms) for each in asked} == {(20, 7)}
    assert min(each.stream_s for each in asked) >= 10, "long enough to pile up"


def carried(name: str, streams: int | None, beyond: int | None = None) -> Capacity:
    runs = [run(name, Load(each, 0)) if each else None for each in (streams, beyond)]
    return Capacity(name, *runs)


def test_capacities_as_lines() -> None:
    assert "15000 tokens/s, 300 streams" in carried("ours", 300).line()
    assert "no limit was met" in carried("ours", 300).line()
    assert "with 390 streams p99 0 ms" in carried("ours", 300, 390).line()
    assert carried("ours", None, 30).line() == "capacity, ours: under 30 streams"


def test_capacities_are_compared_with_the_last_one() -> None:
    found = [carried("ours", 600), carried("weak", None), carried("theirs", 300)]
    assert compared(found) == "  ours / theirs: 2.00"
    assert compared([carried("ours", 600), carried("theirs", None)]) == ""
    assert compared([carried("theirs", 300)]) == ""
