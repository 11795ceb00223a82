"""Long polls, also where the process was frozen and their connections are dead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from proxy.poll import polls as module
from proxy.poll.polls import Polls
from tests.client import PATIENCE


class Parts:
    """Polls whose answers the test gives: `asked` has a future for each, in order."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[str | None]] = []
        self.wanted: list[int] = []
        self.sessions: list[aiohttp.ClientSession] = []
        self.used: list[aiohttp.ClientSession] = []
        self.polls = Polls(self._ask, self._session)

    def _session(self) -> aiohttp.ClientSession:
        self.sessions.append(aiohttp.ClientSession())
        return self.sessions[-1]

    async def _ask(self, session: aiohttp.ClientSession, wanted: int) -> str | None:
        self.used.append(session)
        self.wanted.append(wanted)
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]

    async def open(self, number: int) -> None:
        """Wait until so many polls were begun."""
        while len(self.asked) < number:
            await asyncio.sleep(0)


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    async with asyncio.timeout(PATIENCE):
        one = Parts()
        yield one
        await one.polls.end()
        assert all(session.closed for session in one.sessions)


async def test_one_poll_after_the_other_in_one_session(parts: Parts) -> None:
    for number, answer in enumerate(("a", None, "b"), 1):
        asked = asyncio.create_task(parts.polls.answer(number))
        await parts.open(number)
        parts.asked[-1].set_result(answer)
        assert await asked == answer
    assert parts.wanted == [1, 2, 3]
    assert len(parts.sessions) == 1


async def test_what_a_poll_raises_is_raised(parts: Parts) -> None:
    asked = asyncio.create_task(parts.polls.answer())
    await parts.open(1)
    parts.asked[0].set_exception(ConnectionError("boom"))
    with pytest.raises(ConnectionError, match="boom"):
        await asked


async def test_a_poll_that_is_held_for_too_long_brings_nothing(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK", 0.001)
    assert await parts.polls.answer() is None
    assert parts.asked[0].cancelled()


async def test_after_a_thaw_a_second_poll_opens_on_a_new_connection(parts: Parts) -> None:
    asked = asyncio.create_task(parts.polls.answer(7))
    await parts.open(1)
    parts.polls.thawed()
    await parts.open(2)
    parts.asked[1].set_result("new")
    assert await asked == "new"
    assert parts.wanted == [7, 7]
    assert parts.used[0] is not parts.used[1]
    assert not parts.used[0].closed, "the old poll is kept"


async def test_what_the_old_poll_still_brings_counts(parts: Parts) -> None:
    asked = asyncio.create_task(parts.polls.answer())
    await parts.open(1)
    parts.polls.thawed()
    await parts.open(2)
    parts.asked[0].set_result("old")
    assert await asked == "old"
    again = asyncio.create_task(parts.polls.answer())
    parts.asked[1].set_result("new")
    assert await again == "new"
    assert parts.used[0].closed


@pytest.mark.parametrize("how", ["nothing", "an error"])
async def test_that_the_old_poll_ends_is_no_answer(parts: Parts, how: str) -> None:
    asked = asyncio.create_task(parts.polls.answer())
    await parts.open(1)
    parts.polls.thawed()
    await parts.open(2)
    if how == "nothing":
        parts.asked[0].set_result(None)
    else:
        parts.asked[0].set_exception(ConnectionError())
    while not parts.used[0].closed:
        await asyncio.sleep(0)
    assert not asked.done()
    parts.asked[1].set_result("new")
    assert await asked == "new"


async def test_a_freeze_for_longer_than_a_poll_is_held_loses_no_answer(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its timers are all due before anything is read that has come meanwhile."""
    monkeypatch.setattr(module, "_LOOK", 0.01)
    asked = asyncio.create_task(parts.polls.answer())
    await parts.open(1)
    asyncio.get_running_loop().call_later(0.3, parts.asked[0].set_result, "a job")
    time.sleep(0.5)  # noqa: ASYNC251 - the freeze
    assert await asked == "a job"


async def test_a_thaw_while_nothing_is_asked_leaves_no_old_connection(parts: Parts) -> None:
    """An idle one may be as dead as that of an open poll."""
    asked = asyncio.create_task(parts.polls.answer())
    await parts.open(1)
    parts.asked[0].set_result("a")
    await asked
    parts.polls.thawed()
    again = asyncio.create_task(parts.polls.answer())
    await parts.open(2)
    parts.asked[1].set_result("b")
    assert await again == "b"
    assert parts.used[0] is not parts.used[1]
    assert parts.used[0].closed


async def test_when_the_youngest_poll_began() -> None:
    clock = [1.0]
    over = asyncio.Event()

    async def ask(_session: aiohttp.ClientSession, _wanted: int) -> str | None:
        await over.wait()
        return "a"

    polls = Polls(ask, aiohttp.ClientSession, lambda: clock[0])
    for now in (2.0, 3.0):
        clock[0] = now
        asked = asyncio.create_task(polls.answer())
        while polls.since != now:
            await asyncio.sleep(0)
        clock[0] += 0.5
        polls.thawed()
        assert polls.since == now + 0.5
        over.set()
        await asked
        over.clear()
        await polls.end()


async def test_what_has_come_when_the_poll_is_ended_is_given_out(parts: Parts) -> None:
    """Between its arrival and the look at it."""
    asked = asyncio.create_task(parts.polls.answer())
    await parts.open(1)
    asked.cancel()
    parts.asked[0].set_result("just now")
    assert await parts.polls.end() == ["just now"]


async def test_at_the_end_what_has_come_is_given_out(parts: Parts) -> None:
    asked = asyncio.create_task(parts.polls.answer())
    await parts.open(1)
    asked.cancel()
    parts.asked[0].set_result("late")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await parts.polls.end() == ["late"]


async def test_at_the_end_an_open_poll_is_ended(parts: Parts) -> None:
    asked = asyncio.create_task(parts.polls.answer())
    await parts.open(1)
    asked.cancel()
    assert await parts.polls.end() == []
    assert parts.asked[0].cancelled()
