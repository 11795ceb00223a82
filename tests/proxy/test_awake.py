"""A clock that leaves out the time for which the process stood still."""

from __future__ import annotations

import asyncio

import pytest

from proxy.awake import Awake


class Time:
    """A clock that passes where somebody sleeps, by so much more as `extra` says."""

    def __init__(self, *extra: float) -> None:
        self.now = 100.0
        self.extra = list(extra)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if not self.extra:
            await asyncio.Event().wait()
        self.now += seconds + self.extra.pop(0)
        await asyncio.sleep(0)


async def watched(time: Time) -> tuple[Awake, int]:
    awake, thaws = Awake(time.clock, time.sleep), []
    awake.on_thaw(lambda: thaws.append(1))
    watching = asyncio.create_task(awake.watch())
    while time.extra:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    watching.cancel()
    return awake, len(thaws)


async def test_a_gap_is_left_out_and_told_once() -> None:
    awake, thaws = await watched(Time(0.0, 75.0, 0.0))
    assert thaws == 1
    assert awake.now() == pytest.approx(103.0)


async def test_a_busy_machine_is_no_freeze() -> None:
    awake, thaws = await watched(Time(0.5, 4.0, 0.1))
    assert thaws == 0
    assert awake.now() == pytest.approx(107.6)


async def test_each_gap_is_told() -> None:
    awake, thaws = await watched(Time(6.0, 0.0, 1000.0))
    assert thaws == 2
    assert awake.now() == pytest.approx(103.0)
