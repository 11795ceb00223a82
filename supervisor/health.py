"""Asks the engine for its health. A 200 from /health is the only sign of readiness."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import httpx

POLL_STARTING = 0.05  # seconds: the wait for a ready engine must not add to a cold start
POLL_READY = 5.0
PROBE_TIMEOUT = 5.0

_RUNNING = re.compile(r"^vllm:num_requests_(?:running|waiting)(?:{.*})? ([0-9.e+]+)$", re.MULTILINE)


def client(url: str) -> httpx.AsyncClient:
    """A client for the engine at `url`; never through a proxy of the environment.

    A certificate is not checked: it names the address that users have, and this is the loopback.
    """
    return httpx.AsyncClient(base_url=url, timeout=PROBE_TIMEOUT, trust_env=False, verify=False)  # noqa: S501


async def is_healthy(engine: httpx.AsyncClient) -> bool:
    """Whether /health answers 200."""
    try:
        answer = await engine.get("/health")
    except httpx.HTTPError:
        return False
    return answer.status_code == httpx.codes.OK


async def until_ready(engine: httpx.AsyncClient) -> None:
    """Poll until the engine is healthy."""
    while not await is_healthy(engine):
        await asyncio.sleep(POLL_STARTING)


async def watch(engine: httpx.AsyncClient, report: Callable[[bool], Awaitable[None]]) -> None:
    """Report each probe of a ready engine, for ever."""
    while True:
        await asyncio.sleep(POLL_READY)
        await report(await is_healthy(engine))


async def served_model(engine: httpx.AsyncClient) -> str | None:
    """The first name under which a model is served; None where that cannot be read."""
    try:
        return str((await engine.get("/v1/models")).json()["data"][0]["id"])
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return None


async def until_idle(engine: httpx.AsyncClient) -> None:
    """Until the engine's metrics say that no request runs or waits, or nobody listens any more.

    An engine that is slow to answer is busy, and one whose metrics do not say is not known to be
    idle: the drain's deadline ends the waiting for both.
    """
    while True:
        try:
            counts = _RUNNING.findall((await engine.get("/metrics")).text)
        except httpx.ConnectError:
            return
        except httpx.HTTPError:
            counts = []
        if counts and sum(float(number) for number in counts) == 0:
            return
        await asyncio.sleep(POLL_STARTING)
