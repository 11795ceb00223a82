"""Asks the engine for its health. A 200 from /health is the only sign of readiness."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum

import httpx

from ..metrics import vllm
from ..process import descriptors

#: Seconds: the wait for a ready engine must not add to a cold start.
POLL_LISTENING = 0.01
POLL_STARTING = 0.05
PROBE_EVERY = 5.0
POLL_ALARMED = 0.25
ALARMED_FOR = 5.0
PROBE_TIMEOUT = 5.0


def client(url: str, key: str = "") -> httpx.AsyncClient:
    """A client for the engine at `url`; never through a proxy of the environment.

    It keeps no connection open, so that every open connection belongs to a client that waits. A
    certificate is not checked: it names the address that users have, not the loopback's.

    Args:
        url: without a path.
        key: for `/v1`; empty where the engine asks for none.
    """
    return httpx.AsyncClient(
        base_url=url,
        timeout=PROBE_TIMEOUT,
        headers={"Authorization": f"Bearer {key}"} if key else {},
        limits=httpx.Limits(max_keepalive_connections=0),
        trust_env=False,
        verify=False,  # noqa: S501
    )


class Health(StrEnum):
    """What one question at /health says."""

    GOOD = "good"
    SICK = "sick"  # the API server answers, with an error: its engine core is dead
    BAD = "bad"  # no answer
    UNKNOWN = "unknown"  # this process could not ask


async def ask(engine: httpx.AsyncClient) -> Health:
    """One question at /health."""
    try:
        answer = await engine.get("/health")
    except httpx.HTTPError as fault:
        return Health.UNKNOWN if descriptors.lacking(fault) else Health.BAD
    # 503 for a dead core, and 500 in vLLM 0.10: whatever it is, no server that hangs says it.
    return Health.GOOD if answer.status_code == httpx.codes.OK else Health.SICK


async def until_ready(engine: httpx.AsyncClient) -> None:
    """Poll until the engine is healthy.

    The engine listens only once it is ready. A look at its port is cheap, so it is a frequent one.
    The first question is asked before, of nobody: httpx imports 25 ms of anyio with it.
    """
    host, port = engine.base_url.host, engine.base_url.port or 80
    while await ask(engine) is not Health.GOOD:
        await asyncio.sleep(POLL_STARTING)
        while _is_refused(host, port):
            await asyncio.sleep(POLL_LISTENING)


def _is_refused(host: str, port: int) -> bool:
    """Whether nobody listens there, which loopback says at once. It costs no trip of the loop.

    False where it cannot be told: for a name, which might have to be looked up elsewhere.
    """
    kind, numeric = socket.SOCK_STREAM, socket.AI_NUMERICHOST
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=kind, flags=numeric)[0]
        with socket.socket(family, kind) as one:
            one.setblocking(False)
            said = one.connect_ex(address)
            if said == errno.EINPROGRESS:
                said = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    except OSError:
        return False
    return said == errno.ECONNREFUSED


async def watch(
    engine: httpx.AsyncClient,
    report: Callable[[Health], Awaitable[None]],
    alarm: asyncio.Event,
    frozen: Callable[[], float] = lambda: 0.0,
) -> None:
    """Probe a ready engine for ever, and report each answer.

    Probes are rare, because vLLM logs each. When `alarm` says that a process of the engine has
    ended, they come at once and often, for some seconds.

    Args:
        engine: a client for it.
        report: is told.
        alarm: asks for a probe now.
        frozen: for how many seconds this process has stood still so far. A probe that failed in
            such a time tells nothing, and is made again.
    """
    often_until = took = 0.0
    while True:
        # The pause includes what the last probe took: three that time out last 15 s, not 30.
        pause = max(POLL_ALARMED, PROBE_EVERY - took)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_ALARMED if time.monotonic() < often_until else pause):
                await alarm.wait()
                often_until = time.monotonic() + ALARMED_FOR
        alarm.clear()
        asked, stood = time.monotonic(), frozen()
        found = await ask(engine)
        took = time.monotonic() - asked
        if found is not Health.GOOD and frozen() != stood:
            alarm.set()
            continue
        await report(found)


async def served_model(engine: httpx.AsyncClient) -> str | None:
    """The first name under which a model is served; None where that cannot be read."""
    try:
        return str((await engine.get("/v1/models")).json()["data"][0]["id"])
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return None


async def until_idle(engine: httpx.AsyncClient) -> None:
    """Wait until the engine's metrics show no running or waiting request, or nobody listens.

    A slow answer means a busy engine, and metrics without these figures prove nothing: the drain's
    deadline ends the wait in both cases.
    """
    while True:
        try:
            requests = vllm.requests(vllm.read((await engine.get("/metrics")).text))
        except httpx.ConnectError as fault:
            if not descriptors.lacking(fault):
                return
            requests = None
        except httpx.HTTPError:
            requests = None
        if requests == 0:
            return
        await asyncio.sleep(POLL_STARTING)
