"""Jobs that are to stop are stopped, whatever else the platform answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import aiohttp
import pytest

from proxy.poll import stops
from proxy.poll.fetch import TooManyPolls
from proxy.poll.polls import Polls
from tests.client import PATIENCE


async def heard(answers: Iterable[list[str] | Exception | None]) -> tuple[list[str], list[float]]:
    """What is stopped, and the pauses, while the platform answers so."""
    left, over = list(answers), asyncio.Event()
    stopped: list[str] = []
    slept: list[float] = []

    async def ask(_session: aiohttp.ClientSession, _wanted: int) -> list[str] | None:
        if not left:
            over.set()
            await asyncio.Event().wait()
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    hearing = asyncio.create_task(
        stops.hear(Polls(ask, aiohttp.ClientSession), stopped.append, sleep)
    )
    async with asyncio.timeout(PATIENCE):
        await over.wait()
        hearing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hearing
    return stopped, slept


async def test_each_is_stopped() -> None:
    assert await heard([["a", "b"], ["c"]]) == (["a", "b", "c"], [])


async def test_a_platform_that_answers_at_once_is_not_asked_without_end() -> None:
    assert await heard([None, ["a"], None]) == (["a"], [1.0, 1.0])


async def test_errors_end_nothing() -> None:
    assert await heard([ConnectionError(), TooManyPolls(), ["a"]]) == (["a"], [1.0, 5.0])
