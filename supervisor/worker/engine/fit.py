"""Whether the weights fit, looked up beside a start: it ends in seconds what would take minutes."""

from __future__ import annotations

import json
import logging
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ...command.plan import Plan
from ...models.fit import Fit
from .. import lifecycle
from ..process.launcher import Launcher
from ..tasks import best_effort

log = logging.getLogger("supervisor")

#: What we are called, and where we are found: installed, the package has another name.
_PACKAGE = __name__.partition(".")[0]
_TREE = Path(__file__).parents[3]


@best_effort("whether the weights fit is not looked up")
async def watch_plan(
    plan: Plan,
    env: Mapping[str, str],
    launcher: Launcher,
    put: Callable[[lifecycle.Event], None],
) -> None:
    """Put `CannotFit` where no start of this plan can succeed; warn where that is likely.

    Args:
        plan: what is being started.
        env: the engine's environment.
        launcher: starts the process that looks.
        put: takes the event.
    """
    found = await _asked(plan, env, launcher)
    if found is None or found.fits:
        return
    if found.cannot:
        put(lifecycle.CannotFit(str(found)))
    else:
        log.warning("%s", found)


async def _asked(plan: Plan, env: Mapping[str, str], launcher: Launcher) -> Fit | None:
    """What a process of its own finds: a volume may hang, and then no thread of ours could end."""
    program = f"from {_PACKAGE}.doctor import fitting; fitting.answer()"
    command = [sys.executable, "-c", program]
    # The engine can read all of it, and the worker's environment has the platform's keys.
    given = pickle.dumps((replace(plan, environment={}), dict(env)))
    answer = await launcher.ask(command, env, str(_TREE), given)
    try:
        found = json.loads(answer)
        return None if found is None else Fit(**found)
    except (ValueError, TypeError):  # a look that fails is to fail no start
        log.debug("whether the weights fit could not be found out: %r", answer)
        return None
