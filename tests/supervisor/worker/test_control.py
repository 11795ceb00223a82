"""The control port, asked over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import psutil
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
    listener = await control.serve(status, settings, lambda: bytes)
    try:
        async with httpx.AsyncClient(base_url=settings.control_url, trust_env=False) as asking:
            yield status, asking
    finally:
        await listener.close()


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


async def test_metrics_are_told_to_one_who_asks_for_a_version_that_is_none() -> None:
    async with served() as (_, asking):
        accept = "application/openmetrics-text; version=abc"
        answer = await asking.get("/metrics", headers={"Accept": accept})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain")


async def test_this_machine_may_ask_a_load_balancer_worker_everything() -> None:
    async with served(WORKER_MODE="load-balancer", PORT="1") as (_, asking):
        assert (await asking.get("/ping")).status_code == 204
        assert (await asking.get("/status")).status_code == 200


async def test_a_taken_port_is_an_error() -> None:
    async with served() as (status, asking):
        port = str(asking.base_url.port)
        settings, _ = read({"PORT_HEALTH": port})
        with pytest.raises(SupervisorError, match=f"the control port {port} is taken by process"):
            await control.serve(status, settings, lambda: bytes)


async def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(SupervisorError, match="set CONTROL_HOST to an address of this machine"):
        async with served(CONTROL_HOST="203.0.113.7"):
            pass


async def test_a_page_of_a_browser_may_not_ask_under_a_name_of_its_own() -> None:
    """Whoever asks for /ping may use any: probes send the address of a pod."""
    async with served() as (_, asking):
        for path, status in (("/ping", 204), ("/status", 403), ("/metrics", 403)):
            for host in ("evil.example", "evil.example:8001", "10.0.0.5"):
                assert (await asking.get(path, headers={"Host": host})).status_code == status
            for host in ("localhost", "localhost:9", "[::1]:8001"):
                assert (await asking.get(path, headers={"Host": host})).status_code in {200, 204}


def addresses() -> list[str]:
    """Those of this machine that are no loopback."""
    every = [each.address for found in psutil.net_if_addrs().values() for each in found]
    return [each for each in every if "." in each and not each.startswith("127.")]


@pytest.mark.skipif(not addresses(), reason="this machine has its loopback alone")
@pytest.mark.parametrize(
    "env",
    [{"WORKER_MODE": "load-balancer"}, {"CONTROL_HOST": "0.0.0.0"}, {}],  # noqa: S104
)
async def test_beyond_loopback_ping_alone_answers_without_a_token(env: dict[str, str]) -> None:
    address = addresses()[0]
    opened = {"HEALTH_CHECK_PATH": "/healthz", "CONTROL_HOST": address, **env}
    async with served(**opened) as (_, asking):
        outside = f"http://{address}:{asking.base_url.port}"
        for path in ("/ping", "/healthz"):
            assert (await asking.get(outside + path)).status_code == 204
        for path in ("/status", "/metrics", "/status?wait=ready"):
            for host in (address, "localhost", "127.0.0.1"):
                answer = await asking.get(outside + path, headers={"Host": host})
                assert answer.status_code == 403
                assert "CONTROL_TOKEN" in answer.json()["error"]
        assert (await asking.get("/status")).status_code == 200, "by loopback"
    async with served(**opened, CONTROL_TOKEN="T") as (_, asking):
        outside = f"http://{address}:{asking.base_url.port}"
        for path in ("/status", "/metrics"):
            shown = {"Authorization": "Bearer T"}
            assert (await asking.get(outside + path, headers=shown)).status_code == 200
            assert (await asking.get(outside + path)).status_code == 401
            assert (await asking.get(path)).status_code == 401, "on the machine itself as well"
        assert (await asking.get(outside + "/ping")).status_code == 204


async def test_what_waits_is_answered_when_the_worker_ends_or_let_go_of() -> None:
    settings, _ = read({"PORT_HEALTH": str(free_port())})
    status = Status(str(settings.mode), "m", {}, State(Starting(9.0), NoProxy()))
    listener = await control.serve(status, settings, lambda: bytes)
    url = f"{settings.control_url}/status?wait=ready&timeout=60"
    async with httpx.AsyncClient(trust_env=False) as asking:
        waiting = asyncio.create_task(asking.get(url))
        await asyncio.sleep(0.1)
        closing = asyncio.create_task(listener.close())
        with pytest.raises(httpx.HTTPError):
            await waiting
        await closing


async def test_the_page_asks_for_the_token_and_tells_nothing_without() -> None:
    async with served(CONTROL_TOKEN="T", MODEL_NAME="m") as (_, asking):
        page = await asking.get("/")
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert page.headers["x-frame-options"] == "DENY"
        assert (await asking.get("/events")).status_code == 401
        async with asking.stream("GET", "/events", headers={"Authorization": "Bearer T"}) as told:
            assert told.headers["content-type"] == "text/event-stream"
            assert told.status_code == 200


async def test_a_stop_does_not_wait_for_those_who_look_on() -> None:
    settings, _ = read({"PORT_HEALTH": str(free_port())})
    status = Status(str(settings.mode), "m", {}, State(Starting(9.0), NoProxy()))
    listener = await control.serve(status, settings, lambda: lambda: b"data: x\n\n")
    async with (
        httpx.AsyncClient(trust_env=False) as asking,
        asking.stream("GET", f"{settings.control_url}/events") as told,
    ):
        lines = told.aiter_lines()
        assert await anext(lines) == "data: x"
        await listener.close()
        assert [line async for line in lines if line] == ["data: x"], "the last word"
