"""Whether the weights fit, looked up beside a start: it ends in seconds what would take minutes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping

from ...command.plan import Plan
from ...doctor import fitting
from ...models.fit import Fit
from .. import lifecycle

log = logging.getLogger("supervisor")


async def watch_plan(
    plan: Plan, env: Mapping[str, str], put: Callable[[lifecycle.Event], None]
) -> None:
    """Put `CannotFit` where no start of this plan can succeed; warn where that is likely.

    Args:
        plan: what is being started.
        env: the engine's environment.
        put: takes the event.
    """
    found = await _aside(lambda: fitting.at_start(plan, env))
    if found is None or found.fits:
        return
    if found.cannot:
        put(lifecycle.CannotFit(str(found)))
    else:
        log.warning("%s", found)


async def _aside(work: Callable[[], Fit | None]) -> Fit | None:
    """What `work` returns, from a thread for which no end of this process waits; None if it fails.

    A driver that wakes, or a name that is looked up, cannot be interrupted.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Fit | None] = loop.create_future()

    def finish(found: Fit | None) -> None:
        if not done.done():
            done.set_result(found)

    def run() -> None:
        found = None
        try:
            found = work()
        except Exception as fault:  # noqa: BLE001 - a look that fails is to fail no start
            log.debug("whether the weights fit could not be found out: %r", fault)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(finish, found)

    threading.Thread(target=run, name="fit", daemon=True).start()
    return await done
