"""What an engine of several nodes is watched for, beside or instead of what every one is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import httpx

from ...command.plan import Plan
from ...settings import table
from ...settings.read import Settings
from .. import lifecycle
from ..engine import health, phases, warmup
from ..engine.run import EngineRun
from ..process.child import Child

log = logging.getLogger("supervisor")

_GRACE = 10.0  # seconds that a start has beyond the time for the first request


class HeadlessRun(EngineRun):
    """An engine that opens no port, and whose readiness is what rank 0 says.

    It tells nothing of its health but its end: vLLM's `serve --headless` waits for its processes.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._counted = asyncio.Event()

    def count_ready(self) -> None:
        """Rank 0 answers requests: this start is over. Puts `Ready` at once."""
        if self._child is None or self._counted.is_set():
            return
        self._child.unobserved()
        self._is_ready()
        self._counted.set()

    async def _watch_health(self, _child: Child) -> None:
        async with asyncio.TaskGroup() as group:
            progress = group.create_task(phases.tell(self._start))
            await self._counted.wait()
            progress.cancel()


async def prove(
    engine: httpx.AsyncClient,
    plan: Plan,
    start: phases.Start,
    put: Callable[[lifecycle.Event], None],
) -> None:
    """Return once a request was answered; put `NoAnswer` where none is, and never return.

    vLLM answers 200 on /health before all ranks have worked together for the first time, and the
    first request can end its core.

    It may take what any token may, ENGINE_STALL_TIMEOUT, because a slow one loses the start here:
    kernels are made on all ranks with it. But it ends with STARTUP_TIMEOUT, and not before
    WARMUP_TIMEOUT, whatever those are.

    Args:
        engine: a client for it that sends the key it asks for.
        plan: for these three.
        start: is told that a phase begins.
        put: takes `Warming` and `NoAnswer`.
    """
    limit = _limit(plan.settings, start.clock() - start.began)
    put(lifecycle.Warming(limit + _GRACE))
    start.begin("warmup")
    try:
        async with asyncio.timeout(limit):
            await warmup.first(engine, await health.served_model(engine))
    except TimeoutError:
        more = f"raise {table.WARMUP_TIMEOUT.name} to give it more"
        why = f"its first request was not answered within {limit:.0f} s ({more})"
    except warmup.ColdError as reason:
        why = f"its first request failed: {reason}"
    else:
        start.end("warmup")
        return
    put(lifecycle.NoAnswer(f"the engine answered 200 on /health, and {why}"))
    await asyncio.Event().wait()


def _limit(settings: Settings, gone: float) -> float:
    """Seconds that the first request may take, `gone` seconds after the spawn."""
    left = settings[table.STARTUP_TIMEOUT] - gone
    most = min(settings[table.ENGINE_STALL_TIMEOUT] or left, left)
    return max(settings[table.WARMUP_TIMEOUT], most)
