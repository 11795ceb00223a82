"""How often a job is sent, against an engine whose health is as the test says."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from proxy.engine.health import Health
from proxy.engine.lives import Sent
from proxy.engine.requests import Attempt, HeldBack
from proxy.errors import (
    EndsEngine,
    EngineRefused,
    EngineUnavailable,
    ErrorInStream,
    InvalidInput,
    JobError,
    StreamBroken,
)
from proxy.job_log import Record
from proxy.losses.tries import Tries
from proxy.stream.raw import Comment
from supervisor.link.figures import Figures


class Engine(Health):
    """`ends` says of each loss, in turn, whether the engine ended with it."""

    def __init__(self, *ends: bool) -> None:
        self.life = 0
        self.ends = list(ends)
        self.waited = 0

    def sent(self) -> Sent:
        return Sent(self.life, 0.0)

    async def is_lost(self, fault: JobError, sent: Sent) -> bool:
        del sent
        return isinstance(fault, StreamBroken | EngineRefused)

    async def has_ended(self, sent: Sent, *, surely: bool) -> bool:
        del sent, surely
        return self.ends.pop(0)

    async def why_ended(self) -> str | None:
        return "the engine ended by SIGSEGV"

    async def until_ready(self) -> None:
        self.waited += 1
        self.life += 1


class Job:
    """One job; each of `tries` is what a try yields, an error at its end or not."""

    def __init__(self, engine: Engine, *tries: list[Any]) -> None:
        self.figures = Figures()
        self.told: list[str | None] = []
        self.again: list[bool] = []
        self.record = Record("job-1", time.monotonic)
        self._tries = Tries(engine, self.figures, self.told.append)
        self._given = list(tries)

    def also(self, *tries: list[Any]) -> Job:
        """Another one in the same engine."""
        job = Job.__new__(Job)
        job.figures, job.told, job.again = self.figures, self.told, []
        job.record = Record("job-2", time.monotonic)
        job._tries, job._given = self._tries, list(tries)
        return job

    async def outputs(self) -> list[Any]:
        found = []
        async with aclosing(self._tries.outputs(self.record, self._ask)) as outputs:
            async for output in outputs:
                if not isinstance(output, Comment):
                    self.record.yielded(output)
                found.append(output)
        return found

    async def _ask(self, attempt: Attempt) -> AsyncGenerator[Any, None]:
        self.again.append(attempt.number > 1)
        given = self._given.pop(0)
        if not callable(given[0]):
            assert attempt.may_go()
        for output in given:
            if isinstance(output, JobError):
                raise output
            if not callable(output):
                yield output
                continue
            try:
                found = await output()
            except JobError:
                assert attempt.may_go()
                raise
            if not attempt.may_go():
                raise HeldBack
            yield found


CUT = StreamBroken("cut")


async def test_what_is_answered_is_asked_once() -> None:
    job = Job(Engine(), ["a", "b"])
    assert await job.outputs() == ["a", "b"]
    assert job.again == [False]
    assert job.figures.resent == 0


async def test_a_job_is_sent_again_after_each_end_of_the_engine_until_it_is_alone() -> None:
    engine = Engine(True, True, True)
    job = Job(engine, [CUT], [CUT], [CUT], ["never"])
    with pytest.raises(EndsEngine) as caught:
        await job.outputs()
    assert str(caught.value) == (
        "this job was alone in the engine when it ended, and in hand when 2 others ended; it is"
        " not sent again: the engine ended by SIGSEGV"
    )
    assert job.again == [False, True, True]
    assert job.told == ["job-1", "job-1", None]
    assert (job.figures.resent, engine.waited) == (2, 2)


async def test_a_suspect_that_is_answered_is_no_more_than_that() -> None:
    job = Job(Engine(True, True), [CUT], [CUT], ["a", "b"])
    assert await job.outputs() == ["a", "b"]
    assert job.told == ["job-1", "job-1", None]


async def test_a_connection_that_is_cut_by_an_engine_that_lives_is_made_again_once() -> None:
    engine = Engine(False, False)
    engine.until_ready = _same_life  # type: ignore[method-assign]
    job = Job(engine, [CUT], [CUT], ["never"])
    with pytest.raises(StreamBroken):
        await job.outputs()
    assert job.figures.resent == 1


async def _same_life() -> None:
    """The engine that is ready is the one that was."""


@pytest.mark.parametrize("comes", [True, False])
async def test_a_job_counts_as_sent_again_once_the_next_engine_is_there(comes: bool) -> None:
    figures = Figures()
    record = Record("job-1", time.monotonic)
    told: list[int] = []

    async def ask(attempt: Attempt) -> AsyncGenerator[Any, None]:
        assert attempt.may_go()
        if attempt.number == 1:
            raise CUT
        attempt.unsent()
        yield Comment(": it waits\n\n")
        if not comes:
            raise EngineUnavailable("no engine was ready within 900 s")
        assert attempt.may_go()
        yield "a"
        told.append(figures.resent)
        yield "b"

    tries = Tries(Engine(True), figures, lambda _job: None)
    outputs = []
    with contextlib.suppress(EngineUnavailable):
        async with aclosing(tries.outputs(record, ask)) as found:
            async for output in found:
                outputs.append(output)
                told.append(figures.resent)
    assert outputs[1:] == (["a", "b"] if comes else [])
    assert told == ([0, 1, 1, 1] if comes else [0])
    assert figures.resent == comes


async def test_what_has_begun_is_never_sent_again() -> None:
    job = Job(Engine(True), ["a", CUT], ["never"])
    with pytest.raises(StreamBroken):
        await job.outputs()
    assert job.again == [False]


async def test_comments_are_no_beginning() -> None:
    job = Job(Engine(True), [Comment(": x\n\n"), CUT], [Comment(": y\n\n"), "a"])
    assert await job.outputs() == [": x\n\n", ": y\n\n", "a"]


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("kind", [EngineRefused, ErrorInStream])
async def test_an_error_of_an_engine_that_is_lost_is_an_error_of_the_engines(
    status: int, kind: type[EngineRefused]
) -> None:
    fault = ErrorInStream(status, b"", ()) if kind is ErrorInStream else EngineRefused(status, b"")
    job = Job(Engine(True), [fault], ["a"])
    assert await job.outputs() == ["a"]
    assert (job.figures.engine_errors, job.figures.resent) == (1, 1)


@pytest.mark.parametrize("fault", [EngineUnavailable("away"), InvalidInput("no")])
async def test_other_errors_end_a_job(fault: JobError) -> None:
    job = Job(Engine(), [fault], ["never"])
    with pytest.raises(type(fault)):
        await job.outputs()


async def test_one_that_waited_for_an_engine_and_became_a_suspect_meanwhile_is_held_back() -> None:
    """Sent, it would end the engine in which another is tried, who would be blamed for that."""

    class Both(Engine):
        """Ends with both jobs in it, and is back when both know."""

        async def until_ready(self) -> None:
            await asyncio.sleep(0.01)
            self.life = (4 - len(self.ends)) // 2

    engine = Both(*[True] * 4)
    waiting, there, tried = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def waits() -> str:
        waiting.set()
        await there.wait()
        return "sent"

    async def is_lost_once_more() -> str:
        await waiting.wait()
        raise CUT

    async def is_tried() -> str:
        tried.set()
        await asyncio.sleep(0.05)
        return "a"

    innocent = Job(engine, [CUT], [is_lost_once_more], [is_tried])
    killer = innocent.also([CUT], [waits], [CUT])
    first, second = (asyncio.create_task(job.outputs()) for job in (innocent, killer))
    await tried.wait()
    there.set()
    assert await first == ["a"]
    with pytest.raises(EndsEngine):
        await second
    assert killer.again == [False, True, True]
    assert killer.figures.resent == 3, "what was held back was not sent"
