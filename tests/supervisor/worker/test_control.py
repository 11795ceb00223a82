"""The control port, asked over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from supervisor.errors import SupervisorError
from supervisor.settings.read import read
from supervisor.worker import control
from supervisor.worker.lifecycle import History, NoProxy, Serving, Starting, State
from supervisor.worker.status import Status
from tests.processes import free_port

READY = State(Serving(1.0), NoProxy(), history=History(was_ready=True))


@contextlib.asynccontextmanager
async def served(**env: str) -> AsyncIterator[tuple[Status, httpx.AsyncClient]]:
    settings, _ = read({"PORT_HEALTH": str(free_port()), **env})
    status = Status(str(settings.mode), "m", {}, State(Starting(9.0), NoProxy()))
    runner = await control.serve(status, settings)
    try:
        async with httpx.AsyncClient(base_url=settings.control_url, trust_env=False) as asking:
            yield status, asking
    finally:
        await runner.cleanup()


async def test_ping_follows_the_state() -> None:
    async with served() as (status, asking):
        assert (await asking.get("/ping")).status_code == 204
        status.publish(READY)
        assert (await asking.get("/ping")).status_code == 200


async def test_the_platforms_own_path_is_another_name_for_it() -> None:
    async with served(HEALTH_CHECK_PATH="/health/live") as (status, asking):
        for path in ("/ping", "/health/live"):
            assert (await asking.get(path)).status_code == 204
        status.publish(READY)
        assert (await asking.get("/health/live")).status_code == 200
        assert (await asking.get("/health")).status_code == 404


async def test_status_can_be_waited_for() -> None:
    async with served() as (status, asking):
        query = {"wait": "ready", "timeout": "30"}
        waiting = asyncio.create_task(asking.get("/status", params=query))
        assert (await asking.get("/ping")).status_code == 204
        status.publish(READY)
        answer = await waiting
        assert (answer.status_code, answer.json()["state"]) == (200, "READY")
        late = await asking.get("/status", params={"wait": "failed", "timeout": "0"})
        assert late.status_code == 408


@pytest.mark.parametrize("timeout", ["-1", "soon", "nan", "1e9"])
async def test_a_wait_that_makes_no_sense_is_refused(timeout: str) -> None:
    async with served() as (_, asking):
        query = {"wait": "ready", "timeout": timeout}
        answer = await asking.get("/status", params=query)
        assert answer.status_code == 400
        assert "wait takes one of starting, ready" in answer.json()["error"]


async def test_metrics_are_text() -> None:
    async with served() as (_, asking):
        answer = await asking.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        assert "vllm_supervisor_ready 0" in answer.text


async def test_this_machine_may_ask_a_load_balancer_worker_everything() -> None:
    async with served(WORKER_MODE="load-balancer", PORT="1") as (_, asking):
        assert (await asking.get("/ping")).status_code == 204
        assert (await asking.get("/status")).status_code == 200


async def test_a_taken_port_is_an_error() -> None:
    async with served() as (status, asking):
        port = str(asking.base_url.port)
        settings, _ = read({"PORT_HEALTH": port})
        with pytest.raises(SupervisorError, match=f"the control port {port} is taken by process"):
            await control.serve(status, settings)


async def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(SupervisorError, match="set CONTROL_HOST to an address of this machine"):
        async with served(CONTROL_HOST="203.0.113.7"):
            pass
