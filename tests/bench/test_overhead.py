"""What metrics cost: pairs in one process, and their share of a run."""

from __future__ import annotations

import logging
import time

import pytest

from bench.load import Load
from bench.overhead import Overhead, measure, paired
from tests.bench.runs import run


async def test_the_median_of_pairs() -> None:
    async def burn(us: float) -> None:
        end = time.process_time() + us / 1e6
        while time.process_time() < end:
            pass

    more, whole = await paired(lambda: burn(900), lambda: burn(400), 21)
    assert 350 < more < 700
    assert whole > 850


def test_the_share_of_a_run() -> None:
    """100 outputs of 2 us and 50 reports of 1 us, of 1,000 tokens that took 50 us each."""
    load = Load(10, 100, name="burst-10")
    found = Overhead(pairs=5, output_us=2.0, relay_us=30.0, report_us=1.0)
    ran = run(load=load, posts=100, seconds=50.0, cpu_us_per_token=50.0)
    assert found.share(ran) == pytest.approx(0.005)
    assert "0.50% of the worker's 50 us a token with burst-10; at most 1%: met" in found.line([ran])
    heavy = run(load=load, posts=1000, seconds=50.0, cpu_us_per_token=50.0)
    assert found.line([ran, heavy, heavy]).endswith("missed")


async def test_it_can_be_measured() -> None:
    found = await measure(20)
    assert found.pairs == 20
    assert 0 < found.report_us < 10_000
    assert abs(found.output_us) < found.relay_us


async def test_the_log_is_as_it_was() -> None:
    """Who measures and goes on has the lines of jobs again."""
    level = logging.getLogger("proxy").level
    await measure(1)
    assert logging.getLogger("proxy").level == level
