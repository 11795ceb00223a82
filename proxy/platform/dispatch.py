"""Begins jobs as they come, so many at once and no more. Knows no SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from proxy.platform.intake import Job
from proxy.platform.race import unless


class Dispatcher:
    """Begins each job when it arrives, each in a task of its own.

    Args:
        get: waits for the next job.
        run: runs one to its end.
        at_once: how many may run at the same time.
    """

    def __init__(
        self,
        get: Callable[[], Coroutine[Any, Any, Job]],
        run: Callable[[Job], Coroutine[Any, Any, None]],
        at_once: int,
    ) -> None:
        self._get = get
        self._run = run
        self._at_once = at_once
        self._tasks: set[asyncio.Task[None]] = set()

    async def until(
        self, over: Callable[[], Coroutine[Any, Any, object]], more: Callable[[], bool]
    ) -> None:
        """Begin jobs until no more will come, and wait for those that run, however they end.

        Args:
            over: waits until no more will come; it ends the wait for the next one.
            more: whether any may still come, or waits to be got.
        """
        while more():
            if len(self._tasks) >= self._at_once:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                continue
            job = await unless(over(), self._get())
            if job is not None:
                self._begin(job)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, job: Job) -> None:
        task = asyncio.create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
