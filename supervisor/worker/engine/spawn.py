"""Starts an engine. Little is imported here: the first start waits for it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from ... import began
from ...catalog import release
from ...command import plan as planned
from ...command import tracing
from ...command.plan import Plan
from ...errors import SupervisorError
from ...records import dataclass
from ...settings import table
from ..logs.speaker import ENGINE, Speaker
from ..process.child import Child
from ..process.launcher import Launcher
from .memory import MemoryWatch
from .phases import Start

log = logging.getLogger("supervisor")

_PREFIX = "VLLM_LOGGING_PREFIX"
_SIGNS_SINCE = (0, 10)


@dataclass(frozen=True, slots=True)
class Spawned:
    """An engine that has just been started.

    Attributes:
        child: its process.
        env: its environment.
        start: what its log says of its start.
        killed: what had been killed for memory before it.
        own_seconds: for how long this program had been running then.
        signature: what its logger puts before each line; empty for one that cannot.
    """

    child: Child
    env: Mapping[str, str]
    start: Start
    killed: MemoryWatch
    own_seconds: float
    signature: str = ""


def try_spawn(plan: Plan, env: Mapping[str, str], launcher: Launcher) -> Spawned | SupervisorError:
    """As `spawn`, with the error as a value: a failed start is an event of the worker's life."""
    try:
        return spawn(plan, env, launcher)
    except SupervisorError as reason:
        return reason


def spawn(plan: Plan, env: Mapping[str, str], launcher: Launcher) -> Spawned:
    """Start the engine of `plan`; `env` is the worker's environment.

    Raises:
        SupervisorError: the system could not.
    """
    own = planned.engine_environment(env, plan)
    if signature := _signature(plan.vllm_version):
        own = {**own, _PREFIX: signature + own.get(_PREFIX, "")}  # a user's own stays
    start, killed = Start(), MemoryWatch()
    speaker = Speaker(
        ENGINE,
        signature,
        folds=plan.settings[table.FOLD_ACCESS_LOG],
        exports=plan.options.value(tracing.FLAG) or "",
    )
    child = launcher.spawn(
        (*plan.before, *plan.command), own, "/", observe=start.feed, speaker=speaker
    )
    spawned = Spawned(child, own, start, killed, began.seconds_ago(), signature)
    log.info("engine spawned, pid %d", child.pid)
    return spawned


def _signature(version: str | None) -> str:
    """By which the lines of this engine's own logger are told from others; see `diagnosis.voice`.

    Empty for a version that is not known to write it: each warns of variables that it does not
    know. It has no part in the key of vLLM's compile cache.
    """
    number = release.number(version)
    return f"~{os.urandom(8).hex()} " if number >= _SIGNS_SINCE else ""
