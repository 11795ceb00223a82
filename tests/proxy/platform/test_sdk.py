"""The guard before the SDK's inside is touched, and the SDK's scaler with our policy in it."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer as TestServer
from runpod import http_client
from runpod.serverless.modules import rp_http, rp_job, rp_scale, worker_state

from proxy.awake import Awake
from proxy.errors import InvalidInput
from proxy.platform import sdk
from supervisor.link import handover
from tests.client import PATIENCE
from tests.proxy.platform.fakes import FakeHandler, Job, Reported, job


def test_the_pinned_sdk_has_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rp_scale, "JobScaler", rp_scale.JobScaler)  # put back at the end
    assert sdk.install()
    assert rp_scale.JobScaler is sdk.DrainingScaler


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (rp_scale.JobScaler, "handle_shutdown"),
        (rp_scale.JobScaler, "start"),
        (rp_scale.JobScaler, "run"),
        (rp_scale.JobScaler, "is_alive"),
        (rp_scale.JobScaler, "kill_worker"),
        (worker_state.JobsProgress, "add"),
        (worker_state.JobsProgress, "remove"),
        (http_client, "AsyncClientSession"),
        (http_client, "get_auth_header"),
        (rp_job, "_job_stop_url"),
        (rp_job, "JOB_GET_URL"),
        (rp_http, "JOB_STREAM_URL"),
        (rp_http, "JOB_DONE_URL"),
    ],
)
def test_a_name_that_is_gone_leaves_the_sdk_alone(
    owner: Any, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = rp_scale.JobScaler
    monkeypatch.setattr(owner, name, None)
    assert not sdk.install()
    assert rp_scale.JobScaler is original
    assert f"has no {owner.__name__.rpartition('.')[2]}.{name}" in caplog.text


def test_another_body_leaves_the_sdk_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same names, used in another way."""
    original = rp_scale.JobScaler
    monkeypatch.setattr("inspect.getsource", lambda _found: "class JobScaler: ...")
    assert not sdk.install()
    assert rp_scale.JobScaler is original


@pytest.mark.parametrize("name", ["self.concurrency_modifier = ", "asyncio.run(self.run"])
def test_a_body_of_another_kind_leaves_the_sdk_alone(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = rp_scale.JobScaler
    source = inspect.getsource(original).replace(name, "other" + name)
    monkeypatch.setattr("inspect.getsource", lambda _found: source.replace(name, ""))
    assert not sdk.install()
    assert rp_scale.JobScaler is original
    assert f"has no {name}" in caplog.text


class RunPod:
    """The platform as a worker sees it: gives `jobs` and `stops`, and keeps what it is told."""

    def __init__(self) -> None:
        self.jobs: asyncio.Queue[Job] = asyncio.Queue()
        self.stops: asyncio.Queue[str] = asyncio.Queue()
        self.polls_for_stops = 0
        self.stream: list[Any] = []
        self.done: dict[str, Any] = {}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        kind, *_, name = request.path.strip("/").split("/")
        if kind.startswith("job-take"):
            return web.json_response(await self.jobs.get())
        if kind == "job-stop":
            self.polls_for_stops += 1
            return web.json_response({"jobsToStop": [await self.stops.get()]})
        told = json.loads(await request.read())
        if kind == "job-stream":
            self.stream.append(told["output"])
        else:
            self.done[name] = told
        return web.Response()


class Scaler:
    """The scaler between a platform and a handler."""

    def __init__(self, runpod: RunPod, reported: Reported) -> None:
        self.runpod = runpod
        self.handler = FakeHandler()
        self.reported = reported
        configuration = sdk.configuration(self.handler, 2, reported.report, (), Awake())
        self.scaler = sdk.DrainingScaler(configuration)


@pytest.fixture
async def parts(monkeypatch: pytest.MonkeyPatch, reported: Reported) -> AsyncIterator[Scaler]:
    runpod = RunPod()
    async with TestServer(runpod.handle) as server:
        url = f"http://127.0.0.1:{server.port}"
        monkeypatch.setattr(rp_job, "JOB_GET_URL", f"{url}/job-take/worker?x=1")
        monkeypatch.setattr(rp_http, "JOB_STREAM_URL", f"{url}/job-stream/worker/$ID?x=1")
        monkeypatch.setattr(rp_http, "JOB_DONE_URL", f"{url}/job-done/worker/$ID?x=1")
        yield Scaler(runpod, reported)


async def test_jobs_come_from_the_platform_and_go_back_to_it(parts: Scaler) -> None:
    """From the first poll to a stop: the SDK's loops, our policy."""
    running = asyncio.create_task(parts.scaler.run())
    async with asyncio.timeout(PATIENCE):
        await parts.runpod.jobs.put(job("a"))
        await parts.handler.at_work.wait()
        parts.scaler.handle_shutdown(signal.SIGTERM, None)
        parts.handler.go.set()
        await running
    assert parts.runpod.stream == ["output"]
    assert parts.runpod.done == {"a": {"output": ["output"]}}
    assert parts.handler.closed
    assert parts.reported.journal.works
    assert parts.reported.journal.figures.jobs == 0


@pytest.mark.parametrize("how", ["two stops", "an abort"])
async def test_jobs_in_hand_are_ended_by_a_signal(parts: Scaler, how: str) -> None:
    running = asyncio.create_task(parts.scaler.run())
    async with asyncio.timeout(PATIENCE):
        await parts.runpod.jobs.put(job("a"))
        await parts.handler.at_work.wait()
        if how == "an abort":
            os.kill(os.getpid(), handover.ABORT)
        else:
            parts.scaler.handle_shutdown(signal.SIGTERM, None)
            parts.scaler.handle_shutdown(signal.SIGTERM, None)
        await running
    assert "the worker was stopped" in json.loads(parts.runpod.done["a"]["error"])["message"]


async def test_a_stop_of_the_platforms_ends_its_job_alone(parts: Scaler) -> None:
    running = asyncio.create_task(parts.scaler.run())
    async with asyncio.timeout(PATIENCE):
        await parts.runpod.stops.put("b")  # before it has come
        while parts.runpod.polls_for_stops < 2:
            await asyncio.sleep(0.01)
        await parts.runpod.jobs.put(job("a"))
        await parts.handler.at_work.wait()
        await parts.runpod.stops.put("a")
        while parts.reported.journal.figures.jobs:
            await asyncio.sleep(0.01)
        parts.handler.go.set()
        for name in ("b", "c"):
            await parts.runpod.jobs.put(job(name))
        while "c" not in parts.runpod.done:
            await asyncio.sleep(0.01)
        parts.scaler.handle_shutdown(signal.SIGTERM, None)
        await running
    assert parts.handler.begun == ["a", "c"]
    assert parts.runpod.done == {"c": {"output": ["output"]}}


def test_a_stop_before_the_loop_runs_ends_the_scaler(reported: Reported) -> None:
    handler = FakeHandler()
    scaler = sdk.DrainingScaler(sdk.configuration(handler, 1, reported.report, (), Awake()))
    scaler.handle_shutdown(signal.SIGTERM, None)
    assert not scaler.is_alive()


async def test_an_sdk_that_is_left_alone_gets_failures_in_its_own_form() -> None:
    """It takes an output `{"error": TEXT}` for a failed job, and would show a traceback else."""

    async def handler(given: Job, _sent: object) -> AsyncGenerator[Any, None]:
        yield given["id"]
        raise InvalidInput("no", "input")

    outputs = [output async for output in sdk.in_the_sdks_form(handler)(job("a"))]
    assert outputs == ["a", {"error": InvalidInput("no", "input").as_json()}]
