"""Reads a model's weights into the page cache while its engine imports, by a process of its own.

A volume may hang: neither a start nor a stop waits for that process, which may outlive SIGKILL.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ... import foreign, hanging
from ...command.plan import Plan
from ...errors import SupervisorError
from ..engine.phases import READ, Start
from ..logs.speaker import Speaker
from ..process.launcher import Launcher
from ..tasks import best_effort
from .wanted import beside, folders

log = logging.getLogger("supervisor")

_PROGRAM = Path(str(foreign.__file__)).parent / "reading"
_LOOK_EVERY = 0.25  # seconds
#: Phases of a start in which weights may still be wanted.
_BEFORE_THE_END = {"imports", "download", "weights"}


@best_effort("the weights are not read ahead")
async def watch_plan(start: Start, plan: Plan, env: Mapping[str, str], launcher: Launcher) -> None:
    """Read what `plan` says, until that is done, or the engine has its weights.

    Args:
        start: of the engine, which was spawned.
        plan: with what is read.
        env: the engine's.
        launcher: starts the process.
    """
    if plan.reading is None:
        return
    version = plan.vllm_version or ""
    try:
        also = await hanging.look_beside(lambda: beside(plan, env), folders(plan, env))
    except hanging.HangsError:  # what hangs is not read
        also = []
    what = (plan.reading.path, plan.reading.load_format, version, *also)
    # By the worker's interpreter, with the standard library alone.
    await watch(start, [sys.executable, "-I", "-S", str(_PROGRAM), *what], launcher)


async def watch(start: Start, command: Sequence[str], launcher: Launcher) -> None:
    """Run `command` while the engine of `start` may want what it reads; then it is killed."""
    try:
        child = launcher.spawn_aside(command, {}, "/", Speaker("read-ahead"))
    except SupervisorError as reason:
        log.warning("the weights are not read ahead: %s", reason)
        return
    start.begin(READ)
    ended = asyncio.ensure_future(child.ended())
    try:
        while not ended.done() and _may_want(start):
            await asyncio.wait({ended}, timeout=_LOOK_EVERY)
        if not ended.done():
            log.info("read ahead: stopped, for vLLM has loaded the weights")
    finally:
        ended.cancel()
        child.signal(signal.SIGKILL)
        start.end(READ)


def _may_want(start: Start) -> bool:
    return not start.over and start.phase in _BEFORE_THE_END
