"""Threads for whose end nobody waits, and a machine that gives none."""

from __future__ import annotations

import asyncio
import threading

import pytest

from supervisor.errors import OutOfResources
from supervisor.machine.threads import begin, in_thread
from tests.threads import no_threads


def test_nobody_waits_for_the_end_of_a_look() -> None:
    goes_on = threading.Event()

    async def looks() -> None:
        assert await in_thread(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await in_thread(lambda: 7 // 0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(in_thread(lambda: goes_on.wait(300)), 0.01)

    asyncio.run(looks())  # which would wait for it
    assert not goes_on.is_set()
    goes_on.set()


async def test_a_look_for_which_no_thread_is_left() -> None:
    with no_threads():
        with pytest.raises(OutOfResources, match="no more threads are allowed here; raise"):
            await in_thread(lambda: 7)
        with pytest.raises(OutOfResources, match="no more threads are allowed here; raise"):
            begin(lambda: 7)
