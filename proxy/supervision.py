"""What the supervisor says of the engine: whether it comes back, and why it went."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import httpx

from supervisor.link.standing import Standing

_FRESH = 0.5  # seconds for which an answer is as good as a new one
_TIMEOUT = 5.0
_HELD = 300.0  # seconds that the supervisor holds one question
_POLL = 0.1
_DIAGNOSED_WITHIN = 6.0  # seconds: an API server whose core has died ends within 3


class Supervision:
    """Asks the supervisor at `url`; None where there is none. Used inside one event loop."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        # Without certificates, which take 20 ms to load: the supervisor is on this machine.
        self._http = httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT, verify=False)  # noqa: S501
        self._known: Standing | None = None
        self._known_at = -_FRESH
        self._asking = asyncio.Lock()
        self._finding: asyncio.Task[Standing | None] | None = None

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def standing(self) -> Standing | None:
        """How the worker stands; None where nobody says. Many may ask at once."""
        if self._url is None:
            return None
        async with self._asking:
            if time.monotonic() - self._known_at >= _FRESH:
                self._known = await self._ask({}, _TIMEOUT)
                self._known_at = time.monotonic()
        return self._known

    async def after_a_loss(self) -> Standing | None:
        """How the worker stands once it has seen that the engine is gone, and why.

        Every job that the engine took with it asks this: all of them share one answer.
        """
        if self._finding is None or self._finding.done():
            self._finding = asyncio.create_task(self._find_cause())
        return await asyncio.shield(self._finding)

    async def _find_cause(self) -> Standing | None:
        first = await self._ask({}, _TIMEOUT)
        found = first
        end = time.monotonic() + _DIAGNOSED_WITHIN
        while first is not None and found is not None and time.monotonic() < end:
            seen = found.state != "READY" and found.engine is None
            if seen or found.restarts != first.restarts:
                return found
            await asyncio.sleep(_POLL)
            found = await self._ask({}, _TIMEOUT)
        return found

    async def until_failed(self) -> str:
        """Wait until the worker gives up; why it does."""
        while True:
            query = {"wait": "failed", "timeout": f"{_HELD:.0f}"}
            found = await self._ask(query, _HELD + 10)
            if found is not None and found.state == "FAILED":
                return found.words
            await asyncio.sleep(1.0)  # it stops, or does not answer: nothing to be quick for

    async def _ask(self, query: Mapping[str, str], timeout: float) -> Standing | None:
        if self._url is None:
            return None
        try:
            answer = await self._http.get(f"{self._url}/status", params=query, timeout=timeout)
            return Standing.read(answer.json())
        except (httpx.HTTPError, ValueError, AttributeError):
            return None
