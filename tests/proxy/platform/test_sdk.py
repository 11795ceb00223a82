"""The guard before the SDK's inside is touched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from runpod.serverless.modules import rp_http, rp_scale

from proxy.errors import WorkerStopped
from proxy.platform import sdk
from supervisor.link.figures import Figures
from supervisor.link.report import Report


def test_the_pinned_sdk_has_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rp_scale, "JobScaler", rp_scale.JobScaler)  # put back at the end
    assert sdk.install()
    assert rp_scale.JobScaler is sdk.DrainingScaler


@pytest.mark.parametrize(
    "name",
    [
        "handle_shutdown",
        "kill_worker",
        "get_jobs",
        "run_jobs",
        "handle_job",
        "stop_job",
        "current_occupancy",
    ],
)
def test_a_method_that_is_gone_leaves_the_sdk_alone(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = rp_scale.JobScaler
    monkeypatch.setattr(original, name, None)
    assert not sdk.install()
    assert rp_scale.JobScaler is original
    assert f"JobScaler.{name}" in caplog.text


@pytest.mark.parametrize("name", ["JOB_STREAM_URL", "JOB_DONE_URL"])
def test_an_address_that_is_gone_leaves_the_sdk_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = rp_scale.JobScaler
    monkeypatch.delattr(rp_http, name)
    assert not sdk.install()
    assert rp_scale.JobScaler is original


def test_another_body_leaves_the_sdk_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same names, used in another way."""
    original = rp_scale.JobScaler
    monkeypatch.setattr("inspect.getsource", lambda _found: "class JobScaler: ...")
    assert not sdk.install()
    assert rp_scale.JobScaler is original


class Relay:
    """Begins every job, and fails."""

    figures = Figures()

    def __init__(self) -> None:
        self.begun: list[str] = []

    async def handler(self, job: dict[str, Any]) -> AsyncGenerator[str, None]:
        self.begun.append(job["id"])
        raise AssertionError
        yield ""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def until_given_up(self) -> str:
        return ""


async def test_a_job_that_is_stopped_on_its_way_never_begins() -> None:
    """The stop comes before the job has a task; the SDK itself would forget it."""
    relay = Relay()
    begun = relay.begun
    scaler = sdk.DrainingScaler(sdk.configuration(relay, 1, Report(None), ()))
    assert not await scaler.stop_job("early")
    await scaler._run_job(None, scaler.config, {"id": "early", "input": {}})
    assert begun == []
    for number in range(5000):
        await scaler.stop_job(f"of long ago {number}")
    assert len(scaler._stopped) <= sdk._STOPPED_MOST
    with pytest.raises(AssertionError):
        await scaler._run_job(None, scaler.config, {"id": "late", "input": {}})
    assert begun == ["late"]


@pytest.mark.parametrize(
    ("fault", "took", "pauses"),
    [
        (ConnectionError(), 0.0, True),
        (ConnectionError(), sdk._TOO_SOON * 2, True),  # a proxy before the platform, say
        (None, 0.0, True),  # nothing, at once: the poll was not held
        (None, sdk._TOO_SOON * 2, False),
        (TimeoutError(), sdk._TOO_SOON * 2, False),  # the SDK's own end of a poll
    ],
)
async def test_a_poll_that_fails_is_followed_by_a_pause(
    monkeypatch: pytest.MonkeyPatch, fault: Exception | None, took: float, pauses: bool
) -> None:
    paused: list[float] = []

    async def pause(scaler: sdk.DrainingScaler) -> None:
        paused.append(scaler._failed_polls)

    async def fetch(*_asked: object) -> list[dict[str, Any]]:
        await asyncio.sleep(took)
        if fault is not None:
            raise fault
        return []

    monkeypatch.setattr(sdk.DrainingScaler, "_pause", pause)
    scaler = sdk.DrainingScaler(sdk.configuration(Relay(), 1, Report(None), ()))
    scaler._fetch_jobs = fetch
    with contextlib.suppress(ConnectionError, TimeoutError):
        await scaler._jobs(None, 1)
    assert bool(paused) is pauses


async def test_a_poll_that_is_being_answered_is_not_ended_by_a_stop() -> None:
    """Its job would be lost: the platform has given it away."""

    async def fetch(*_asked: object) -> list[dict[str, Any]]:
        await asyncio.sleep(sdk._ANSWER_COMES / 4)
        return [{"id": "late", "input": {}}]

    scaler = sdk.DrainingScaler(sdk.configuration(Relay(), 1, Report(None), ()))
    scaler._fetch_jobs = fetch
    asked = asyncio.create_task(scaler._jobs(None, 1))
    await asyncio.sleep(0)
    scaler._stop()
    assert await asked == [{"id": "late", "input": {}}]


async def test_a_poll_that_the_platform_holds_is_ended_by_a_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sdk, "_ANSWER_COMES", 0.05)
    scaler = sdk.DrainingScaler(sdk.configuration(Relay(), 1, Report(None), ()))
    scaler._fetch_jobs = lambda *_asked: asyncio.sleep(600)
    asked = asyncio.create_task(scaler._jobs(None, 1))
    await asyncio.sleep(0.1)
    scaler._stop()
    async with asyncio.timeout(10):
        assert await asked is None


async def test_what_is_being_told_is_not_cut_off() -> None:
    """Neither by a cancel nor by an abort: the supervisor hears that the job has ended."""
    told: list[str] = []
    scaler = sdk.DrainingScaler(sdk.configuration(Relay(), 1, Report(None), ()))

    async def fail(_session: object, name: str, _reason: object) -> None:
        await asyncio.sleep(0.05)
        told.append(name)

    scaler._results.fail = fail  # type: ignore[assignment]
    scaler._hopeless["a"] = WorkerStopped("x")
    telling = asyncio.create_task(scaler._run_job(None, scaler.config, {"id": "a", "input": {}}))
    await asyncio.sleep(0.01)
    assert not await scaler.stop_job("a")
    scaler._abort()
    await telling
    assert told == ["a"]


async def test_a_job_that_is_aborted_before_its_first_step_is_told() -> None:
    told: list[str] = []
    scaler = sdk.DrainingScaler(sdk.configuration(Relay(), 1, Report(None), ()))

    async def fail(_session: object, name: str, _reason: object) -> None:
        told.append(name)

    scaler._results.fail = fail  # type: ignore[assignment]
    job = {"id": "a", "input": {}}
    scaler.job_progress.add(job)
    await scaler.jobs_queue.put(job)
    running = asyncio.create_task(scaler.run_jobs(None))
    for _ in range(20):
        await asyncio.sleep(0)
        if scaler.jobs_queue.empty():
            break
    scaler._abort()
    scaler.kill_worker()
    async with asyncio.timeout(10):
        await running
    assert told == ["a"]
    assert scaler.current_occupancy() == 0
