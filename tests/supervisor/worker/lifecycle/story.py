"""Events in a row, and the state after them."""

from __future__ import annotations

from supervisor.worker import lifecycle
from supervisor.worker.lifecycle import (
    Action,
    Due,
    Event,
    Exited,
    Policy,
    Probed,
    ProxyExited,
    State,
)

POLICY = Policy(startup_timeout=100, drain_timeout=60, max_restarts=2)


CRASH = Exited("it broke")


WRONG = Exited("a bad flag", final=True)


KILLED = Exited("killed")


DEAD = Probed(healthy=False, sick=True)


LEFT = Exited("killed", left=True)


WITH_JOBS = ProxyExited(-9, jobs=2)


def after(
    *events: Event, proxy: bool = False, policy: Policy = POLICY
) -> tuple[State, list[Action]]:
    """The state after these events, one second apart, and the actions of the last one."""
    now = 0.0
    state, actions = lifecycle.begin(policy, now, proxy=proxy)
    for number, event in enumerate(events, start=1):
        now = max(now, float(number))
        if isinstance(event, Due) and state.due is not None:
            now = max(now, state.due)
        state, actions = lifecycle.step(state, event, policy, now)
    return state, list(actions)
