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
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from ... import hanging
from ...catalog import store
from ...command.plan import Plan
from ...diagnosis import known
from ...errors import SupervisorError
from ...foreign.download.watched import AGAIN
from ...settings import table
from ..engine.phases import PREFETCH, Start
from ..logs.speaker import Speaker
from ..process.child import Child
from ..process.launcher import Launcher
from ..tasks import best_effort
from .wanted import folders, repositories

log = logging.getLogger("supervisor")

#: Looks for what is to be fetched; what starts a process that does it, or None.
Find = Callable[[], Coroutine[Any, Any, Callable[[], Child] | None]]

_WITHOUT = "no download ahead of the engine"
_DOWNLOAD = Path(__file__).parents[2] / "foreign" / "download"
#: How a line begins that says why something was not fetched; see `foreign.download`.
_WHY = "download ahead"
#: The same of the one that fetches a folder of a repository, where another try may help.
_NOT_YET = "the model is not downloaded yet"
_BESIDE = ". The engine goes on by itself"
AGAIN_AFTER = 5.0  # seconds
_CLEARS_WITHIN = 2.0  # seconds in which one that was told to end removes what it has half-written


class Prefetch:
    """One process that downloads, begun once is known what; in a loop, which nobody holds up.

    Args:
        find: looks for what is to be fetched; what starts the process, None where nothing is.
        launcher: starts it.

    Attributes:
        cause: why something could not be fetched, in one sentence; None where nothing is known.
    """

    def __init__(self, find: Find, launcher: Launcher) -> None:
        self._launcher = launcher
        self._spawn: Callable[[], Child] | None = None
        self._child: Child | None = None
        self._start: Start | None = None
        self._again = False  # it failed, and another try may help
        self._stopped = False
        self.cause: str | None = None
        self._begun = asyncio.create_task(self._begin(find))

    @best_effort(_WITHOUT)
    async def _begin(self, find: Find) -> None:
        try:
            self._spawn = await find()
            if self._spawn is not None and not self._stopped:
                self._child = self._spawn()
        except (SupervisorError, hanging.HangsError) as reason:
            log.info("%s: %s", _WITHOUT, reason)
        if self._child is not None and self._start is not None:
            self._start.begin(PREFETCH)

    def beside(self, start: Start) -> None:
        """It runs beside this start of an engine."""
        self._start = start
        if self._child is not None:
            start.begin(PREFETCH)

    async def run(self) -> None:
        """Until it has ended, and nothing of its group is left; at once where there is none."""
        await self._begun
        child = self._child
        if child is None:
            return
        code = await child.ended()
        await self._launcher.seen_off(child)
        self._child = None
        if self._start is not None:
            self._start.end(PREFETCH)
        said = [line for line in child.last_lines() if line.startswith((_WHY, _NOT_YET))]
        # Where the cause is told, the engine has not gone on.
        self.cause = known.ours(said[-1]).removesuffix(_BESIDE) if code and said else None
        not_yet = code == AGAIN or bool(code and said and said[-1].startswith(_NOT_YET))
        self._again = not_yet and not self._stopped

    async def complete(self, within: float, tell: Callable[[str], None]) -> None:
        """As `run`, and begun anew after what another try may help with.

        Args:
            within: seconds after which it is not begun anew; the engine then says what is missing.
            tell: takes the cause, before each new beginning.
        """
        until = time.monotonic() + within
        await self.run()
        while self._again and time.monotonic() < until:
            tell(self.cause or "the download ahead of the engine broke off")
            await asyncio.sleep(AGAIN_AFTER)
            if self._stopped or self._spawn is None:
                break
            try:
                self._child = self._spawn()
            except SupervisorError as reason:
                self.cause = str(reason)
            await self.run()

    def stop(self) -> None:
        """No engine will come that needs it: end it, and let it remove what it has half-written."""
        self._stopped = True
        if self._child is not None:
            self._child.terminate()

    async def end(self) -> None:
        """Stop it, and kill what is left of it soon after."""
        self.stop()
        self._begun.cancel()  # nobody waits for a look at a volume that hangs
        if (child := self._child) is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLEARS_WITHIN):
                await child.ended()
        child.signal(signal.SIGKILL)


def begin(plan: Plan, env: Mapping[str, str], launcher: Launcher) -> Prefetch | None:
    """Start it, where vLLM would fetch anything; None where PREFETCH is off.

    One of several nodes starts no engine before it has the model. So what its engine's process
    would do first is done here.

    Args:
        plan: what is run.
        env: the engine's environment.
        launcher: starts it.
    """
    if not plan.settings[table.PREFETCH]:
        return None

    async def find() -> Callable[[], Child] | None:
        asked, why = await hanging.look_beside(lambda: repositories(plan, env), folders(plan, env))
        if why:
            log.info("%s: %s", _WITHOUT, why)
        before = plan.before if plan.cluster is not None else ()
        if not asked and not before:
            return None
        interpreter = store.interpreter(plan.settings[table.VLLM_COMMAND], env)
        command = (*before, *interpreter, str(_DOWNLOAD), "--ahead", json.dumps(asked))
        own = environment(env)
        return lambda: launcher.spawn_aside(command, own, "/", Speaker("prefetch"))

    return Prefetch(find, launcher)


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The engine's, in which the hub's client may use all of the network, as in vLLM itself."""
    kept = {name: value for name, value in env.items() if not name.startswith("PYTHON")}
    return {"HF_XET_HIGH_PERFORMANCE": "1", **kept}
