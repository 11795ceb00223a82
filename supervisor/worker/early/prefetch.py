"""Fetches from the hub what the engine will want, from its spawn on, by a process of its own.

It survives the engine, and ends by itself or with the worker. What goes wrong in it costs nothing
but the time that it would have won: the engine fetches what is missing, and tells what is wrong.
The cache may be on a volume that hangs, so that no stop waits for it for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import Mapping
from pathlib import Path

from ... import hanging
from ...catalog import store
from ...command.plan import Plan
from ...diagnosis import known
from ...errors import SupervisorError
from ...settings import table
from ..engine.phases import PREFETCH, Start
from ..logs.speaker import Speaker
from ..process.child import Child
from ..process.launcher import Launcher
from .wanted import folders, repositories

log = logging.getLogger("supervisor")

_DOWNLOAD = Path(__file__).parents[2] / "foreign" / "download"
#: How a line begins that says why something was not fetched; see `foreign.download`.
_WHY = "download ahead"
_CLEARS_WITHIN = 2.0  # seconds in which one that was told to end removes what it has half-written


class Prefetch:
    """One process that downloads.

    Attributes:
        cause: why something could not be fetched, in one sentence; None where nothing is known.
    """

    def __init__(self, child: Child, launcher: Launcher) -> None:
        self._child: Child | None = child
        self._launcher = launcher
        self._start: Start | None = None
        self.cause: str | None = None

    def beside(self, start: Start) -> None:
        """It runs beside this start of an engine."""
        self._start = start
        if self._child is not None:
            start.begin(PREFETCH)

    async def run(self) -> None:
        """Until it has ended, and nothing of its group is left."""
        child = self._child
        if child is None:
            return
        code = await child.ended()
        await self._launcher.seen_off(child)
        self._child = None
        if self._start is not None:
            self._start.end(PREFETCH)
        if code:
            said = [line for line in child.last_lines() if line.startswith(_WHY)]
            self.cause = known.ours(said[-1]) if said else None

    def stop(self) -> None:
        """No engine will come that needs it: end it, and let it remove what it has half-written."""
        if self._child is not None:
            self._child.terminate()

    async def end(self) -> None:
        """Stop it, and kill what is left of it soon after."""
        if (child := self._child) is None:
            return
        self.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLEARS_WITHIN):
                await child.ended()
        child.signal(signal.SIGKILL)


async def begin(plan: Plan, env: Mapping[str, str], launcher: Launcher) -> Prefetch | None:
    """Start it, where vLLM would fetch anything; None where it would not.

    Args:
        plan: what is run.
        env: the engine's environment.
        launcher: starts it.
    """
    if not plan.settings[table.PREFETCH]:
        return None
    try:
        asked = await hanging.look_beside(lambda: repositories(plan, env), folders(plan, env))
        if not asked:
            return None
        interpreter = store.interpreter(plan.settings[table.VLLM_COMMAND], env)
        child = launcher.spawn_aside(
            (*interpreter, str(_DOWNLOAD), "--ahead", json.dumps(asked)),
            environment(env),
            "/",
            Speaker("prefetch"),
        )
    except (SupervisorError, hanging.HangsError) as reason:
        log.info("no download ahead of the engine: %s", reason)
        return None
    return Prefetch(child, launcher)


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The engine's, in which the hub's client may use all of the network, as in vLLM itself."""
    kept = {name: value for name, value in env.items() if not name.startswith("PYTHON")}
    return {"HF_XET_HIGH_PERFORMANCE": "1", **kept}
