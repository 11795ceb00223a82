"""Which jobs are taken, when they begin and when no more are, by a clock that the tests turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable

import aiohttp
import pytest

from proxy.platform.intake import Intake
from proxy.platform.runner import Runner
from proxy.poll.fetch import TooManyPolls
from proxy.poll.polls import Polls
from supervisor.link.report import Inherited
from tests.client import PATIENCE
from tests.proxy.platform.fakes import FakeHandler, FakeResults, Job, Reported, job
from tests.threads import no_threads

A_MOMENT = 0.01  # seconds: sooner than a platform that holds a poll answers
A_WHILE = 0.1  # seconds: later
FOR_LONG = 30.0  # seconds: by then jobs that wait have been handed over

Answer = list[Job] | bytes | Exception | None


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
    """An intake of two jobs at once among fakes. The platform's answers are put into `answers`."""

    def __init__(self, reported: Reported, inherited: Iterable[Inherited] = ()) -> None:
        self.time = Time()
        self.in_hand: list[str] = []
        self.wanted: list[int] = []
        self.answers: asyncio.Queue[Answer] = asyncio.Queue()
        self.takes = A_WHILE
        self.handler = FakeHandler()
        self.results = FakeResults()
        self.runner = Runner(self.handler, self.results, reported.report)
        self.polls = Polls(self._ask, aiohttp.ClientSession, self.time.clock)
        self.intake = Intake(
            self.polls,
            self.runner,
            reported.report,
            self,
            2,
            inherited,
            self.time.clock,
            self.time.sleep,
        )
        self.running: asyncio.Task[None]

    def add(self, name: str) -> None:
        self.in_hand.append(name)

    def remove(self, name: str) -> None:
        self.in_hand.remove(name)

    async def _ask(self, _session: aiohttp.ClientSession, wanted: int) -> bytes | None:
        self.wanted.append(wanted)
        answer = await self.answers.get()
        self.time.now += self.takes
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer).encode() if isinstance(answer, list) else answer

    def begin(self) -> None:
        self.running = asyncio.create_task(self.intake.run())

    async def asked(self, times: int = 1) -> None:
        """Wait until the platform was asked so often."""
        while len(self.wanted) < times:
            await asyncio.sleep(0)

    async def end(self) -> None:
        """Drain, and wait for the end."""
        self.time.may_wake.set()
        self.handler.go.set()
        self.intake.drain()
        await self.running


Make = Callable[..., Parts]


@pytest.fixture
async def make(reported: Reported) -> AsyncIterator[Make]:
    made: list[Parts] = []

    def one(*inherited: Inherited) -> Parts:
        made.append(Parts(reported, inherited))
        made[-1].begin()
        return made[-1]

    async with asyncio.timeout(PATIENCE):
        yield one
        for each in made:
            await each.end()


async def test_jobs_begin_as_they_come_all_of_a_poll_at_once(
    make: Make, reported: Reported
) -> None:
    parts = make()
    await parts.answers.put([job("a"), job("b")])
    while len(parts.handler.begun) < 2:
        await asyncio.sleep(0)
    assert parts.handler.begun == ["a", "b"]
    assert parts.in_hand == ["a", "b"]
    assert parts.intake.busy
    assert reported.journal.figures.jobs == 2
    await parts.end()
    assert parts.results.answered == ["a", "b"]
    assert parts.in_hand == []
    assert not parts.intake.busy


async def test_no_more_run_at_once_than_are_allowed(make: Make) -> None:
    """For as many is asked as there are places; more that come all the same wait their turn."""
    parts = make()
    await parts.answers.put([job("a")])
    await parts.asked(2)
    assert parts.wanted == [2, 1]
    await parts.answers.put([job("b"), job("c")])
    while len(parts.in_hand) < 3 or len(parts.handler.begun) < 2:
        await asyncio.sleep(0)
    assert parts.handler.begun == ["a", "b"]
    assert len(parts.wanted) == 2, "nothing is asked while every place is taken"
    parts.handler.go.set()
    await parts.asked(3)
    await parts.end()
    assert parts.results.answered == ["a", "b", "c"]


async def test_the_next_poll_comes_with_the_first_place(make: Make) -> None:
    """At once, not a second later as the SDK's: short jobs live on that."""
    parts = make()
    await parts.answers.put([job("a"), job("b")])
    while len(parts.handler.begun) < 2:
        await asyncio.sleep(0)
    parts.runner.stop("a")
    await parts.asked(2)
    assert parts.time.slept == []


async def test_a_job_that_cannot_be_read_ends_alone(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    parts = make()
    parts.handler.go.set()
    deep = b"[" * 100_000 + b"]" * 100_000
    sound = [json.dumps(job(name)).encode() for name in "ac"]
    answer = b'[%b, {"id": "b", "input": %b}, {"input": 1}, %b]' % (sound[0], deep, sound[1])
    await parts.answers.put(answer)
    await parts.asked(2)
    await parts.end()
    assert parts.results.answered == ["a", "c"]
    error = parts.results.failed["b"]
    assert error["message"] == "the job cannot be read: it is nested too deeply"
    assert (error["code"], error["param"]) == (400, "input")
    assert (
        "a job that cannot be read, its id included, is dropped: it has no id of printable ASCII"
        in caplog.text
    )


async def test_a_job_that_comes_once_more_while_it_is_in_hand_runs_once(make: Make) -> None:
    parts = make()
    parts.handler.go.clear()
    await parts.answers.put([job("a")])
    await parts.answers.put([{"id": "a", "input": "other"}, {"id": "a"}, job("b")])
    while len(parts.in_hand) < 2:
        await asyncio.sleep(0)
    await parts.end()
    assert parts.handler.begun == ["a", "b"]
    assert sorted(parts.results.answered) == ["a", "b"]
    assert parts.in_hand == []


@pytest.mark.parametrize(
    ("brings", "takes", "pauses"),
    [
        (ConnectionError(), A_MOMENT, True),
        (ConnectionError(), A_WHILE, True),  # a proxy before the platform, say
        (None, A_MOMENT, True),  # nothing, at once: the poll was not held
        (None, A_WHILE, False),
        ([job("a")], A_MOMENT, False),
    ],
)
async def test_a_poll_that_fails_is_followed_by_a_pause(
    make: Make, brings: Answer, takes: float, pauses: bool
) -> None:
    parts = make()
    parts.takes = takes
    await parts.answers.put(brings)
    await parts.asked(2)
    assert bool(parts.time.slept) is pauses


async def test_where_the_platform_wants_fewer_polls_it_gets_fewer(make: Make) -> None:
    parts = make()
    await parts.answers.put(TooManyPolls())
    await parts.asked(2)
    assert parts.time.slept == [5.0]


async def test_pauses_grow_to_ten_seconds_and_begin_anew_after_a_good_poll(make: Make) -> None:
    parts = make()
    parts.takes = A_MOMENT
    for _ in range(20):
        await parts.answers.put(None)
    await parts.asked(21)
    longest = [min(10.0, 0.2 * 2**number) for number in range(20)]
    for slept, most in zip(parts.time.slept, longest, strict=True):
        assert most / 2 <= slept <= most
    await parts.answers.put([job("a")])
    await parts.answers.put(None)
    await parts.asked(23)
    assert parts.time.slept[-1] <= 0.2


async def test_a_pause_ends_with_a_stop(make: Make) -> None:
    parts = make()
    parts.time.may_wake.clear()
    await parts.answers.put(ConnectionError())
    await parts.time.asleep.wait()
    parts.intake.stop()
    await parts.running


async def test_a_poll_that_is_being_answered_is_not_ended_by_a_stop(make: Make) -> None:
    """Its job would be lost: the platform has given it away."""
    parts = make()
    parts.time.may_wake.clear()
    await parts.asked()
    parts.intake.stop()
    await parts.time.asleep.wait()
    assert parts.time.slept == [1.0], "so long a poll that has just begun is left alone"
    await parts.answers.put([job("late")])
    parts.handler.go.set()
    await parts.running
    assert parts.results.answered == ["late"]


async def test_a_poll_that_the_platform_holds_is_ended_by_a_stop(make: Make) -> None:
    parts = make()
    await parts.asked()
    parts.time.now += FOR_LONG
    parts.intake.stop()
    await parts.running
    assert parts.time.slept[0] <= 0, "at once"


async def test_a_stop_takes_no_more_jobs_and_is_over_with_the_last(make: Make) -> None:
    parts = make()
    await parts.answers.put([job("a"), job("b")])
    await parts.handler.at_work.wait()
    parts.intake.stop()
    await asyncio.sleep(0.01)
    assert not parts.running.done()
    parts.handler.go.set()
    await parts.running
    assert parts.results.answered == ["a", "b"]
    assert len(parts.wanted) == 1


async def test_jobs_that_wait_for_a_place_are_answered_after_a_stop(make: Make) -> None:
    parts = make()
    await parts.answers.put([job(name) for name in "abc"])
    await parts.handler.at_work.wait()
    await parts.end()
    assert parts.results.answered == ["a", "b", "c"]


@pytest.mark.parametrize("how", ["two stops", "an abort"])
async def test_jobs_are_ended_with_an_error_where_that_is_wanted(make: Make, how: str) -> None:
    """Those that run and those that wait for a place."""
    parts = make()
    await parts.answers.put([job(name) for name in "abc"])
    await parts.handler.at_work.wait()
    if how == "two stops":
        parts.intake.stop()
        parts.intake.stop()
    else:
        parts.intake.abort()
    await parts.running
    assert sorted(parts.results.failed) == ["a", "b", "c"]


async def test_the_jobs_of_the_previous_proxy_come_first(
    make: Make, caplog: pytest.LogCaptureFixture, reported: Reported
) -> None:
    """Also while the worker drains. The supervisor has them down already."""
    caplog.set_level("INFO")
    parts = make(Inherited("a", job("a")), Inherited("b", None), Inherited("c", job("c")))
    parts.intake.stop()
    parts.handler.go.set()
    await parts.running
    assert parts.results.answered == ["a", "c"]
    assert parts.wanted == []
    assert "job a: retrying: the previous proxy died before answering" in caplog.text
    message = "the worker's proxy ended in the middle of this answer; send the job again"
    assert parts.results.failed["b"]["message"] == message
    assert reported.journal.figures.jobs == 0


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
    await parts.running


async def test_an_engine_that_is_given_up_ends_the_intake_also_where_no_thread_is_left(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    parts = make()
    told: list[str] = []
    await parts.handler.given_up.put("the worker has given up: boom")
    with no_threads():
        await parts.intake.drain_when(parts.handler.until_given_up, told.append)
    await parts.running
    assert told == []
    assert "the platform does not hear that this worker is unhealthy: no more thr" in caplog.text


async def test_what_a_poll_brought_while_a_thaw_doubled_it_is_all_run(make: Make) -> None:
    parts = make()
    await parts.asked()
    parts.polls.thawed()
    await parts.asked(2)
    for name in "ab":
        await parts.answers.put([job(name)])
    parts.handler.go.set()
    while len(parts.results.answered) < 2:
        await asyncio.sleep(0)
    assert sorted(parts.results.answered) == ["a", "b"]
