"""Tells the URL that came with a job how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

from tests.emulator.jobs import Job

_TIMEOUT = aiohttp.ClientTimeout(total=10)


class Webhooks:
    """POSTs what `status` shows. The platform tries again where this gives up."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def ended(self, job: Job) -> None:
        """Send the news of this job, if it wants that."""
        if job.webhook is not None:
            task = asyncio.get_running_loop().create_task(self._send(job.webhook, job))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def end_with(self, _: web.Application) -> AsyncIterator[None]:
        """What is under way ends with the application."""
        yield
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _send(self, url: str, job: Job) -> None:
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.post(url, json=job.shown_to_users()),
            ):
                pass
        except (aiohttp.ClientError, TimeoutError, ValueError) as reason:
            print(f"webhook of job {job.id}: {type(reason).__name__}", flush=True)
