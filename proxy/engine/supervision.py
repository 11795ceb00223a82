"""Asks the supervisor about the engine: whether it comes back, and why it ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping

import httpx

from proxy.errors import EngineUnavailable
from supervisor.link.standing import Standing

log = logging.getLogger("proxy")

_FRESH = 0.5  # seconds for which an answer is as good as a new one
_TIMEOUT = 5.0  # seconds for a question that is answered at once
_HELD = 300.0  # seconds that the supervisor holds the question for the end
_POLL = 0.1  # seconds between two questions after a loss
_DIAGNOSED_WITHIN = 6.0  # seconds: an API server whose core has died ends within 3
_REFUSED = (401, 403)  # for want of CONTROL_TOKEN, or of the right one
_AGAIN = 1.0  # seconds before the question for the end is repeated: nothing is urgent then


async def first_question(url: str) -> None:
    """Ask the supervisor at `url` whether it is there, whatever it says.

    httpx imports 25 ms of anyio with the first question of a process. The first job would wait for
    that, were it asked beside it.
    """
    async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT, verify=False) as http:  # noqa: S501
        with contextlib.suppress(httpx.HTTPError):
            await http.get(f"{url}/ping")


class Supervision:
    """Asks the supervisor at `url`, or nobody where it is None. Used inside one event loop.

    `headers` show that this proxy may ask.
    """

    def __init__(self, url: str | None, headers: Mapping[str, str] | None = None) -> None:
        self._url = url
        # Without certificates, which take 20 ms to load: the supervisor is on this machine.
        self._http = httpx.AsyncClient(
            trust_env=False,
            timeout=_TIMEOUT,
            verify=False,  # noqa: S501
            headers=headers,
        )
        self._refused = False
        self._known: Standing | None = None
        self._known_at = -_FRESH
        self._asking = asyncio.Lock()
        self._cause: asyncio.Task[Standing | None] | None = None
        self._ready: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Close every connection."""
        if self._ready is not None:
            self._ready.cancel()
        await self._http.aclose()

    async def standing(self) -> Standing | None:
        """How the worker stands; None where nobody says. Many callers share one question."""
        if self._url is None:
            return None
        async with self._asking:
            if time.monotonic() - self._known_at >= _FRESH:
                self._known = await self._ask({}, _TIMEOUT)
                self._known_at = time.monotonic()
        return self._known

    async def page(self, path: str) -> bytes:
        """What the supervisor tells at a path of its own, such as `/metrics`.

        Raises:
            EngineUnavailable: it does not answer, or there is none.
        """
        with contextlib.suppress(httpx.HTTPError):
            if self._url is not None:
                return (await self._http.get(f"{self._url}{path}")).raise_for_status().content
        raise EngineUnavailable("this worker has no supervisor that could tell")

    async def until_ready(self, within: float) -> None:
        """Wait until the worker is ready, `within` seconds at most; callers share one question.

        The supervisor holds it, so that nobody waits longer than the worker takes.
        """
        if self._ready is None or self._ready.done():
            self._ready = asyncio.create_task(self._see_it_ready())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await asyncio.shield(self._ready)

    async def _see_it_ready(self) -> None:
        query = {"wait": "ready", "timeout": f"{_HELD:.0f}"}
        self._known = await self._ask(query, _HELD + 10)
        self._known_at = time.monotonic()
        if self._known is None or self._known.away:
            await asyncio.sleep(_POLL)  # it does not hold questions

    async def after_a_loss(self) -> Standing | None:
        """How the worker stands once it has seen that the engine is gone, and why.

        Every job that the engine took with it asks this; all of them share one answer. None where
        nobody says.
        """
        if self._cause is None or self._cause.done():
            self._cause = asyncio.create_task(self._find_cause())
        return await asyncio.shield(self._cause)

    async def _find_cause(self) -> Standing | None:
        first = latest = await self._ask({}, _TIMEOUT)
        end = time.monotonic() + _DIAGNOSED_WITHIN
        while first is not None and latest is not None and time.monotonic() < end:
            seen = latest.state != "READY" and latest.engine_pid is None
            if seen or latest.restarts != first.restarts:
                return latest
            await asyncio.sleep(_POLL)
            latest = await self._ask({}, _TIMEOUT)
        return latest

    async def until_failed(self) -> str:
        """Wait until the worker takes no more jobs because it has given up; returns why it has.

        For ever without a supervisor. One that has given up may answer jobs with the cause first.
        """
        query = {"wait": "failed", "timeout": f"{_HELD:.0f}"}
        while True:
            standing = await self._ask(query, _HELD + 10)
            if standing is not None and standing.state == "FAILED" and not standing.answering:
                return standing.words
            await asyncio.sleep(_AGAIN)

    async def _ask(self, query: Mapping[str, str], timeout: float) -> Standing | None:
        if self._url is None:
            return None
        try:
            answer = await self._http.get(f"{self._url}/status", params=query, timeout=timeout)
            if answer.status_code in _REFUSED:
                self._say_refused(answer.status_code)
                return None
            return Standing.read(answer.json())
        except (httpx.HTTPError, ValueError, AttributeError):
            return None

    def _say_refused(self, status: int) -> None:
        """Once: it is asked again and again, and a token does not change while a proxy runs."""
        if not self._refused:
            self._refused = True
            log.warning(
                "the supervisor at %s refuses this proxy (HTTP %d), so that nobody says how the"
                " engine stands: set the CONTROL_TOKEN of that worker here",
                self._url,
                status,
            )
