"""Asks the platform for jobs, and which of them are to stop, by the SDK's protocol.

The SDK parses the answer of a poll in one piece, so that a job that cannot be read takes all others
of its poll with it. Statuses are taken here as the SDK takes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import aiohttp

#: No content; and what the platform says to a worker that it freezes when idle.
_NOTHING = (204, 400)
_TOO_MANY = 429
_EMPTY = (b"", b"null", b"{}", b"[]")
#: No more than that: `polls` counts for how long it waits, so that a freeze is no waiting.
_PATIENCE = aiohttp.ClientTimeout(total=None, sock_connect=10.0)


class TooManyPolls(Exception):
    """The platform wants to be asked less often."""


class Fetch:
    """Asks for jobs and stops.

    Args:
        jobs_url: for one job; the address for several follows from it.
        stops_url: for the ids of jobs to stop.
        busy: whether any job is in hand, which the platform is told.
    """

    def __init__(self, jobs_url: str, stops_url: str, busy: Callable[[], bool]) -> None:
        self._jobs_url = jobs_url
        self._stops_url = stops_url
        self._busy = busy

    async def jobs(self, session: aiohttp.ClientSession, wanted: int) -> bytes | None:
        """At most `wanted` jobs, as `polled` reads them; None where there are none.

        Raises:
            TooManyPolls: ask again later.
            aiohttp.ClientError, OSError: the platform is not reached, or answers with an error.
        """
        url = self._jobs_url
        if wanted > 1:
            url = url.replace("/job-take/", "/job-take-batch/") + f"&batch_size={wanted}"
        text = await _get(session, f"{url}&job_in_progress={int(self._busy())}")
        return None if text is None or text.strip() in _EMPTY else text

    async def stops(self, session: aiohttp.ClientSession, _wanted: int) -> list[str] | None:
        """The ids of jobs to stop; None where there are none. Raises as `jobs`."""
        text = await _get(session, self._stops_url)
        try:
            found = json.loads(text or b"{}")
        except (ValueError, RecursionError):
            return None
        names = found.get("jobsToStop") if isinstance(found, dict) else None
        if not isinstance(names, list):
            return None
        return [name for name in names if isinstance(name, str)] or None


async def _get(session: aiohttp.ClientSession, url: str) -> bytes | None:
    """The JSON that an address answers with; None where it has none."""
    async with session.get(url, timeout=_PATIENCE) as answer:
        if answer.status in _NOTHING:
            return None
        if answer.status == _TOO_MANY:
            raise TooManyPolls("status 429")
        answer.raise_for_status()
        if answer.content_type != "application/json":
            return None
        return await answer.read()
