"""Starts an engine. Little is imported here: the first start waits for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from ... import began
from ...command import plan as planned
from ...command.plan import Plan
from ...errors import SupervisorError
from ..process.child import Child
from ..process.launcher import Launcher
from .memory import MemoryWatch
from .phases import Start

log = logging.getLogger("supervisor")


@dataclass(frozen=True, slots=True)
class Spawned:
    """An engine that has just been started.

    Attributes:
        child: its process.
        env: its environment.
        start: what its log says of its start.
        killed: what had been killed for memory before it.
        own_seconds: for how long this program had been running then.
    """

    child: Child
    env: Mapping[str, str]
    start: Start
    killed: MemoryWatch
    own_seconds: float


async def try_spawn(
    plan: Plan, env: Mapping[str, str], launcher: Launcher
) -> Spawned | SupervisorError:
    """As `spawn`, with the error as a value: a failed start is an event of the worker's life."""
    try:
        return await spawn(plan, env, launcher)
    except SupervisorError as reason:
        return reason


async def spawn(plan: Plan, env: Mapping[str, str], launcher: Launcher) -> Spawned:
    """Start the engine of `plan`; `env` is the worker's environment.

    Raises:
        SupervisorError: the system could not.
    """
    own = planned.engine_environment(env, plan)
    start, killed = Start(), MemoryWatch()
    child = await launcher.spawn((*plan.before, *plan.command), own, "/", observe=start.feed)
    spawned = Spawned(child, own, start, killed, began.seconds_ago())
    log.info("engine spawned, pid %d", child.pid)
    return spawned
