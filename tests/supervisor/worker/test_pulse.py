"""When this process is taken to have stood still."""

from __future__ import annotations

import asyncio

from supervisor.worker.pulse import Pulse
from tests.client import PATIENCE


def test_a_gap_between_two_looks_is_time_in_which_nothing_ran() -> None:
    now = [100.0]
    pulse = Pulse(lambda: now[0])
    for seconds, frozen in ((1.0, 0.0), (5.9, 0.0), (31.0, 30.0), (1.0, 30.0), (11.0, 40.0)):
        now[0] += seconds
        assert pulse.frozen == frozen
        assert pulse.frozen == frozen, "it is counted once"


async def test_it_beats_by_itself() -> None:
    pulse, beaten = Pulse(), asyncio.Event()
    beating = asyncio.create_task(pulse.beat(beaten.set))
    async with asyncio.timeout(PATIENCE):
        await beaten.wait()
    beating.cancel()
