"""Which jobs are taken, and when no more are, by a clock that the tests turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import aiohttp
import pytest

from proxy.platform.intake import Intake, Platform
from proxy.platform.runner import Runner
from supervisor.link.report import Inherited
from tests.client import PATIENCE
from tests.proxy.platform.fakes import FakeHandler, FakeResults, Job, Reported, job

A_MOMENT = 0.01  # seconds: sooner than a platform that holds a poll answers
A_WHILE = 0.1  # seconds: later
FOR_LONG = 30.0  # seconds: by then jobs that wait have been handed over


class Time:
    """Stands still but where somebody sleeps; `slept` is how long each time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.asleep = asyncio.Event()
        self.may_wake = asyncio.Event()
        self.may_wake.set()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.asleep.set()
        await self.may_wake.wait()
        self.now += max(0.0, seconds)
        await asyncio.sleep(0)


class Parts:
    """An intake among fakes. `answer` is how the platform answers a poll."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        reported: Reported,
        inherited: Iterable[Inherited] = (),
    ) -> None:
        self.session = session
        self.time = Time()
        self.in_hand = 0
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()
        self.brings: list[Job] | Exception | None = None
        self.takes = 0.0
        self.handler = FakeHandler()
        self.results = FakeResults()
        self.runner = Runner(self.handler, self.results, reported.report)
        self.intake = Intake(
            Platform(self._fetch_jobs, self._fetch_stops, lambda: self.in_hand),
            self.runner,
            reported.report,
            inherited,
            self.time.clock,
            self.time.sleep,
        )

    async def _fetch_jobs(self, _session: aiohttp.ClientSession, _wanted: int) -> list[Job] | None:
        self.asked.set()
        await self.answer.wait()
        self.time.now += self.takes
        if isinstance(self.brings, Exception):
            raise self.brings
        return self.brings

    async def _fetch_stops(self, _session: aiohttp.ClientSession) -> list[str] | None:
        await self.answer.wait()
        return ["a"]

    async def jobs(self, wanted: int = 1) -> list[Job] | None:
        async with asyncio.timeout(PATIENCE):
            return await self.intake.jobs(self.session, wanted)


Make = Callable[..., Parts]


@pytest.fixture
def make(session: aiohttp.ClientSession, reported: Reported) -> Make:
    return lambda *inherited: Parts(session, reported, inherited)


async def test_what_a_poll_brings_is_reported(make: Make, reported: Reported) -> None:
    parts = make()
    parts.brings = [job("a"), job("b")]
    parts.answer.set()
    assert await parts.jobs(2) == [job("a"), job("b")]
    assert reported.journal.figures.jobs == 2


@pytest.mark.parametrize(
    ("brings", "takes", "pauses"),
    [
        (ConnectionError(), 0.0, True),
        (ConnectionError(), A_WHILE, True),  # a proxy before the platform, say
        (None, A_MOMENT, True),  # nothing, at once: the poll was not held
        (None, A_WHILE, False),
        (TimeoutError(), A_WHILE, False),  # the SDK's own end of a poll
        ([job("a")], A_MOMENT, False),
    ],
)
async def test_a_poll_that_fails_is_followed_by_a_pause(
    make: Make, brings: list[Job] | Exception | None, takes: float, pauses: bool
) -> None:
    parts = make()
    parts.brings, parts.takes = brings, takes
    parts.answer.set()
    if isinstance(brings, Exception):
        with pytest.raises(type(brings)):
            await parts.jobs()
    else:
        assert await parts.jobs() == brings
    assert bool(parts.time.slept) is pauses


async def test_pauses_grow_to_ten_seconds_and_begin_anew_after_a_good_poll(make: Make) -> None:
    parts = make()
    parts.answer.set()
    for _ in range(20):
        await parts.jobs()
    longest = [min(10.0, 0.2 * 2**number) for number in range(20)]
    for slept, most in zip(parts.time.slept, longest, strict=True):
        assert most / 2 <= slept <= most
    parts.brings = [job("a")]
    await parts.jobs()
    parts.brings = None
    await parts.jobs()
    assert parts.time.slept[-1] <= 0.2


async def test_a_pause_ends_with_a_stop(make: Make) -> None:
    parts = make()
    parts.time.may_wake.clear()
    parts.answer.set()
    asked = asyncio.create_task(parts.jobs())
    await parts.time.asleep.wait()
    parts.intake.stop()
    assert await asked is None


async def test_a_poll_that_is_being_answered_is_not_ended_by_a_stop(make: Make) -> None:
    """Its job would be lost: the platform has given it away."""
    parts = make()
    parts.time.may_wake.clear()
    parts.brings = [job("late")]
    asked = asyncio.create_task(parts.jobs())
    await parts.asked.wait()
    parts.intake.stop()
    await parts.time.asleep.wait()
    assert parts.time.slept == [1.0], "so long a poll that has just begun is left alone"
    parts.answer.set()
    assert await asked == [job("late")]


async def test_a_poll_that_the_platform_holds_is_ended_by_a_stop(make: Make) -> None:
    parts = make()
    asked = asyncio.create_task(parts.jobs())
    await parts.asked.wait()
    parts.time.now += FOR_LONG
    parts.intake.stop()
    assert await asked is None
    assert parts.time.slept[0] <= 0, "at once"


async def test_a_stop_takes_no_more_jobs_and_is_over_with_the_last(make: Make) -> None:
    parts = make()
    parts.brings = [job("never")]
    parts.answer.set()
    parts.in_hand = 1
    parts.time.may_wake.clear()
    parts.intake.stop()
    last = asyncio.create_task(parts.jobs())
    await parts.time.asleep.wait()
    assert not parts.intake.over
    parts.in_hand = 0
    parts.time.may_wake.set()
    assert await last is None
    assert parts.intake.over
    assert not parts.asked.is_set()
    await parts.intake.until_over()


async def test_the_second_stop_ends_the_jobs(make: Make) -> None:
    parts = make()
    running = asyncio.create_task(parts.runner.run(parts.session, job("a")))
    await parts.handler.at_work.wait()
    parts.intake.stop()
    assert not running.done()
    parts.intake.stop()
    await running
    assert list(parts.results.failed) == ["a"]


async def test_an_abort_drains_too(make: Make) -> None:
    parts = make()
    parts.intake.abort()
    assert await parts.jobs() is None
    assert parts.intake.over


async def test_the_poll_for_stops_ends_with_the_worker(make: Make) -> None:
    """Not with the drain: until the last one has ended, jobs can be cancelled."""
    parts = make()
    asked = asyncio.create_task(parts.intake.stops(parts.session))
    parts.intake.stop()
    await parts.jobs()
    assert await asked == []
    parts = make()
    parts.intake.stop()
    parts.answer.set()
    assert await parts.intake.stops(parts.session) == ["a"]


async def test_the_jobs_of_the_previous_proxy_come_first(
    make: Make, caplog: pytest.LogCaptureFixture, reported: Reported
) -> None:
    """Also while the worker drains. The supervisor has them down already."""
    caplog.set_level("INFO")
    parts = make(Inherited("a", job("a")), Inherited("b", None), Inherited("c", job("c")))
    parts.intake.stop()
    assert await parts.jobs(2) == [job("a"), job("b")]
    assert await parts.jobs(2) == [job("c")]
    assert "job a: retrying: the previous proxy died before answering" in caplog.text
    assert reported.journal.figures.jobs == 0
    await parts.runner.run(parts.session, job("b"))
    message = "the worker's proxy ended in the middle of this answer; send the job again"
    assert parts.results.failed["b"]["message"] == message


async def test_an_engine_that_is_given_up_ends_the_intake_and_the_platform_hears_why(
    make: Make,
) -> None:
    parts = make()
    told: list[str] = []
    watching = asyncio.create_task(
        parts.intake.drain_when(parts.handler.until_given_up, told.append)
    )
    await parts.handler.given_up.put("the worker has given up: boom")
    await watching
    assert told == ["the worker has given up: boom"]
    assert await parts.jobs() is None
    assert parts.intake.over
