"""When streams are looked at, by the real clock."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack, suppress

from proxy.stream.pace import Pace
from tests.client import PATIENCE


def test_the_budget_follows_the_streams_that_run() -> None:
    pace = Pace()
    alone = pace.budget()
    assert alone is not None
    with ExitStack() as streams:
        for _ in range(1000):
            streams.enter_context(pace.stream())
        many = pace.budget()
        assert many is not None
        assert many > alone
        assert pace.glance() == many
    assert pace.budget() == alone


def test_a_stream_that_breaks_does_not_count_any_more() -> None:
    pace = Pace()
    before = pace.budget()
    for _ in range(1000):
        with suppress(ConnectionError), pace.stream():
            raise ConnectionError
    assert pace.budget() == before


def test_a_fixed_budget() -> None:
    assert Pace(20).budget() == 0.02
    assert not Pace(20).exact
    assert Pace(0).budget() is None
    assert Pace(0).exact
    assert Pace(0).glance() > 0, "it follows the streams all the same"


async def test_nobody_wakes_early_and_streams_wake_together() -> None:
    pace = Pace()
    woken: list[float] = []
    turns: set[int] = set()
    turn = 0

    async def one(when: float) -> None:
        await pace.until(when)
        woken.append(time.monotonic() - when)
        turns.add(turn)

    # Within one tick of 5 ms, some way off.
    tick = 0.005 * (int(time.monotonic() / 0.005) + 20)
    tasks = [asyncio.create_task(one(tick + share * 0.005)) for share in (0.1, 0.5, 0.9)]
    async with asyncio.timeout(PATIENCE):
        while not all(task.done() for task in tasks):
            turn += 1
            await asyncio.sleep(0)
    assert min(woken) >= -0.0005, "the clock of the loop may be that much off"
    assert len(turns) == 1


async def test_one_that_is_cancelled_holds_nobody_up() -> None:
    pace = Pace()
    when = pace.now() + 0.02
    gone = asyncio.create_task(pace.until(when))
    stays = asyncio.create_task(pace.until(when))
    await asyncio.sleep(0)
    gone.cancel()
    async with asyncio.timeout(PATIENCE):
        await stays
    assert gone.cancelled()
