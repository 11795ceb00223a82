"""Begins, and takes one step."""

from __future__ import annotations

from dataclasses import replace

from . import ending, failing, working
from .events import Action, Event, Thawed
from .failing import Step
from .group import Group
from .parts import (
    Answering,
    Awaiting,
    DrainingJobs,
    DrainingProcesses,
    Finished,
    GivingUp,
    NoProxy,
    Parting,
    ProxyRunning,
    Starting,
    StillServing,
)
from .policy import Policy
from .state import State


def begin(policy: Policy, now: float, *, proxy: bool, group: Group | None = None) -> Step:
    """The first step: spawn the engine, and the proxy beside it in queue mode.

    One of several nodes, with its view of them as `group`, waits for the others before that.
    """
    until = now + policy.startup_timeout
    spawn_proxy = (Action.SPAWN_PROXY,) if proxy else ()
    engine = Starting(until) if group is None else Awaiting(until)
    state = State(engine, ProxyRunning(now) if proxy else NoProxy(), group=group)
    return state, (*(() if group else (Action.SPAWN_ENGINE,)), *spawn_proxy)


def step(state: State, event: Event, policy: Policy, now: float, jitter: float = 0.0) -> Step:
    """What `event` makes of `state`.

    Args:
        state: where the worker stands.
        event: what has happened.
        policy: how long each thing may take.
        now: the time, in seconds on the clock of the state's deadlines.
        jitter: 0 to 1; spreads the back-off of many workers.
    """
    if isinstance(event, Thawed):
        return state.thawed(event.seconds), ()
    if state.group is None:
        after, actions = _stepped(state, event, policy, now, jitter)
    else:
        from . import cluster  # few workers are one of several nodes

        taken = cluster.step(state, event, policy, now)
        after, actions = taken or _stepped(state, event, policy, now, jitter)
        after, more = cluster.settle(state, after, event, policy, now)
        actions = (*actions, *more)
    if Action.SPAWN_PROXY in actions:
        again = replace(after.history, proxy_restarts=after.history.proxy_restarts + 1)
        after = replace(after, history=again)
    return after, actions


def _stepped(state: State, event: Event, policy: Policy, now: float, jitter: float) -> Step:
    match state.end:
        case Finished() | Parting():
            return state, ()
        case Answering() as end:
            return failing.while_answering(state, end, event, policy, now)
        case GivingUp() as end:
            return failing.while_giving_up(state, end, event, policy, now)
        case StillServing() as end:
            return ending.while_still_serving(state, end, event, policy, now)
        case DrainingJobs() as end:
            return ending.while_jobs_drain(state, end, event, policy, now)
        case DrainingProcesses() as end:
            return ending.while_processes_end(state, end, event, policy, now)
    return working.while_working(state, event, policy, now, jitter)
