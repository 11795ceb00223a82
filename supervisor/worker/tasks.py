"""Tasks of the worker's loop, whose faults do not go unseen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sized
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from ..errors import SupervisorError
from ..hanging import HangsError

log = logging.getLogger("supervisor")

_LOOK = 0.1  # seconds
#: What a machine, a user or a network brings about: where in the code it came up tells nothing.
_EXPECTED = (OSError, SupervisorError, HangsError)

P = ParamSpec("P")
T = TypeVar("T")


def best_effort(
    without: str,
) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T | None]]]:
    """For what runs beside an engine and only helps it: a fault in it is a line of the log, with
    the place in the code where it is one of ours.

    Args:
        without: what there is not, then, as the line begins.
    """

    def made(
        work: Callable[P, Coroutine[Any, Any, T]],
    ) -> Callable[P, Coroutine[Any, Any, T | None]]:
        @wraps(work)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> T | None:
            try:
                return await work(*args, **kwargs)
            except Exception as reason:  # whatever it is, the engine does without
                fault = _alone(reason)
                expected = isinstance(fault, _EXPECTED)
                where = None if expected else fault
                log.warning("%s: %s: %s", without, type(fault).__name__, fault, exc_info=where)
                return None

        return guarded

    return made


async def unless(told: Sized, work: Coroutine[Any, Any, T]) -> T | None:
    """Await `work`, cancelling it once there is anything in `told`; then None."""
    task = asyncio.ensure_future(work)
    try:
        while not told and not task.done():
            await asyncio.wait([task], timeout=_LOOK)
        return task.result() if task.done() else None
    finally:
        task.cancel()


class Tasks:
    """Tasks that run beside the loop. `broken` is called for one that ended by a fault of ours."""

    def __init__(self, broken: Callable[[], None]) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken = broken

    def create(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until it ends or is cancelled."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def cancel(self) -> None:
        """Cancel all of them."""
        for task in list(self._tasks):
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            fault = _alone(fault)
            log.error("a fault in the supervisor itself: %r", fault, exc_info=fault)
            self._broken()


def _alone(fault: BaseException) -> BaseException:
    """Without groups that hold one only, of a task beside others: such a group tells nothing."""
    while isinstance(fault, BaseExceptionGroup) and len(fault.exceptions) == 1:
        fault = fault.exceptions[0]
    return fault
