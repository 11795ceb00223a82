"""How a job ends, and who hears of it."""

from __future__ import annotations

import asyncio

import pytest

from proxy.errors import WorkerStopped
from proxy.platform.runner import Runner
from tests.proxy.platform.fakes import FakeHandler, FakeResults, Reported, job


class Parts:
    """A runner among fakes."""

    def __init__(self, reported: Reported) -> None:
        self.handler = FakeHandler()
        self.results = FakeResults()
        self.reported = reported
        self.runner = Runner(self.handler, self.results, reported.report)

    def begin(self, name: str) -> asyncio.Task[None]:
        self.reported.report.taken(job(name))
        return asyncio.create_task(self.runner.run(job(name)))

    @property
    def in_hand(self) -> int:
        """As the supervisor knows it."""
        return self.reported.journal.figures.jobs


@pytest.fixture
def parts(reported: Reported) -> Parts:
    return Parts(reported)


async def test_a_job_is_run_and_the_supervisor_hears_of_its_beginning_and_end(
    parts: Parts,
) -> None:
    running = parts.begin("a")
    await parts.handler.at_work.wait()
    assert parts.reported.journal.left() == b'+a {"id": "a", "input": {}}\n'
    parts.handler.go.set()
    await running
    assert parts.results.answered == ["a"]
    assert parts.reported.journal.left() == b""


async def test_a_job_that_is_stopped_ends_at_once_and_nobody_is_told_by_us(parts: Parts) -> None:
    running = parts.begin("a")
    await parts.handler.at_work.wait()
    assert parts.runner.stop("a")
    with pytest.raises(asyncio.CancelledError):
        await running
    assert parts.results.failed == {}
    assert parts.in_hand == 0


async def test_a_job_that_is_stopped_on_its_way_never_begins(parts: Parts) -> None:
    """The stop comes before the job has a task; the SDK itself would forget it."""
    parts.handler.go.set()
    assert not parts.runner.stop("early")
    await parts.begin("early")
    assert parts.handler.begun == []
    assert parts.in_hand == 0
    await parts.begin("early")
    assert parts.handler.begun == ["early"], "the stop was for one job"


async def test_stops_of_jobs_that_never_come_are_forgotten(parts: Parts) -> None:
    parts.handler.go.set()
    parts.runner.stop("of long ago")
    for number in range(5000):
        parts.runner.stop(f"later {number}")
    await parts.begin("of long ago")
    assert parts.handler.begun == ["of long ago"]
    await parts.begin("later 4999")
    assert parts.handler.begun == ["of long ago"]


async def test_an_abort_ends_each_job_with_an_error(parts: Parts) -> None:
    """Those that run and those that come later."""
    running = parts.begin("a")
    await parts.handler.at_work.wait()
    parts.runner.abort()
    await running
    await parts.begin("b")
    assert list(parts.results.failed) == ["a", "b"]
    stopped = "the worker was stopped before this job was done; send it again"
    assert {error["message"] for error in parts.results.failed.values()} == {stopped}
    assert parts.handler.begun == ["a"]
    assert parts.in_hand == 0


async def test_a_job_that_is_aborted_before_its_first_step_is_told(parts: Parts) -> None:
    running = parts.begin("a")
    parts.runner.abort()
    await running
    assert list(parts.results.failed) == ["a"]
    assert parts.handler.begun == []


@pytest.mark.parametrize("why", ["lost", "aborted", "answered"])
async def test_what_is_being_told_is_not_cut_off(parts: Parts, why: str) -> None:
    """Neither by a stop nor by an abort: the supervisor hears that the job has ended."""
    parts.results.heard.clear()
    if why == "lost":
        parts.runner.lose("a", WorkerStopped("lost"))
    telling = parts.begin("a")
    if why == "answered":
        parts.handler.go.set()
    if why == "aborted":
        await parts.handler.at_work.wait()
        parts.runner.abort()
    await parts.results.telling.wait()
    assert not parts.runner.stop("a")
    parts.runner.abort()
    parts.results.heard.set()
    await telling
    assert [*parts.results.failed, *parts.results.answered] == ["a"], "once"
    assert bool(parts.results.answered) is (why == "answered")
    assert parts.in_hand == 0


async def test_a_lost_job_is_told_once(parts: Parts) -> None:
    parts.handler.go.set()
    parts.runner.lose("a", WorkerStopped("lost"))
    await parts.begin("a")
    assert parts.results.failed["a"]["message"] == "lost"
    await parts.begin("a")
    assert parts.results.answered == ["a"]


async def test_a_stop_that_comes_too_late_is_for_no_other_job(parts: Parts) -> None:
    """Of the same name, that is: one that the platform sends once more."""
    parts.results.heard.clear()
    parts.handler.go.set()
    telling = parts.begin("a")
    await parts.results.telling.wait()
    parts.runner.stop("a")
    parts.results.heard.set()
    await telling
    await parts.begin("a")
    assert parts.results.answered == ["a", "a"]


@pytest.mark.parametrize("where", ["run", "finish"])
async def test_whatever_goes_wrong_the_platform_hears_of_it(
    parts: Parts, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    parts.handler.go.set()
    parts.results.faults[where] = ZeroDivisionError("of the proxy")
    await parts.begin("a")
    message = "the worker failed on this job: ZeroDivisionError"
    assert parts.results.failed["a"]["message"] == message
    assert [record.getMessage() for record in caplog.records] == [
        "job a: a fault in the worker itself"
    ]
    assert parts.in_hand == 0
