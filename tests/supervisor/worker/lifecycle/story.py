"""Events in a row, and the state after them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from supervisor.worker import lifecycle
from supervisor.worker.lifecycle import (
    Action,
    Due,
    Event,
    Exited,
    Group,
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


def steps(
    state: State, events: Iterable[Event], policy: Policy
) -> Iterator[tuple[State, Event, State, tuple[Action, ...], float]]:
    """What each of these events makes of a state, one second apart: the state before it, the
    event, the state and the actions, and when. `Due` comes when it is due.
    """
    now = 0.0
    for number, event in enumerate(events, start=1):
        now = max(now, float(number))
        if isinstance(event, Due) and state.due is not None:
            now = max(now, state.due)
        before = state
        state, actions = lifecycle.step(before, event, policy, now)
        yield before, event, state, actions, now


def after(
    *events: Event, proxy: bool = False, policy: Policy = POLICY, group: Group | None = None
) -> tuple[State, list[Action]]:
    """The state after these events, and the actions of the last one."""
    began, actions = lifecycle.begin(policy, 0.0, proxy=proxy, group=group)
    state = began
    for step in steps(began, events, policy):
        _, _, state, actions, _ = step
    return state, list(actions)
