"""Stop, drain and give up."""

from __future__ import annotations

from dataclasses import replace

from .events import Action, Due, Event, ExitCode, Exited, JobsDone, ProxyExited, Stop
from .policy import Policy
from .state import (
    Draining,
    Finished,
    GivingUp,
    Killed,
    Leaving,
    NoEngine,
    NoProxy,
    Process,
    ProxyKilled,
    ProxyRunning,
    ProxyWaiting,
    Serving,
    Stage,
    State,
)

Step = tuple[State, tuple[Action, ...]]

_STUCK = "a process was killed and did not end"


# --- stop and drain ---


def stop(state: State, policy: Policy, now: float) -> Step:
    """The worker is asked to stop while it works."""
    proxy, proxies, spawn = _proxy_for_jobs_left(state, now)
    state = replace(state, proxy=proxy)
    has_proxy = isinstance(proxy, ProxyRunning)
    if isinstance(state.engine, Serving):
        if policy.engine_drains_itself and not has_proxy:
            state = replace(state, end=Draining(Stage.PROCESSES))
            return _terminate_engine(state, now + policy.drain_timeout + policy.stop_grace)
        end = Draining(Stage.JOBS, now + policy.drain_timeout, proxies)
        return replace(state, end=end), (*spawn, Action.DRAIN_JOBS)
    # No job can be in an engine that is not ready: nothing is worth waiting for, except that the
    # proxy tells those that wait for the engine.
    drain = (Action.DRAIN_JOBS,) if has_proxy else ()
    state, kill = _killed(state, policy, now)
    end = Draining(Stage.PROCESSES)
    if has_proxy:
        end = Draining(Stage.JOBS, now + policy.stop_grace, proxies)
    return _end_or_wait(replace(state, end=end), (*spawn, *drain, *kill))


def while_draining(state: State, end: Draining, event: Event, policy: Policy, now: float) -> Step:
    """What `event` makes of a worker that was asked to stop."""
    match event:
        case Exited(left=left):
            end = replace(end, stuck=end.stuck or left)
            return _without_engine(state, end, policy, now)
        case ProxyExited(jobs=jobs) if isinstance(state.proxy, ProxyRunning | ProxyKilled):
            if jobs and end.stage is Stage.JOBS and end.proxies < policy.last_proxies:
                end = replace(end, proxies=end.proxies + 1)
                spawned = replace(state, proxy=ProxyRunning(now), end=end)
                return spawned, (Action.SPAWN_PROXY, Action.DRAIN_JOBS)
            return _end_engine(replace(state, proxy=NoProxy()), end, policy, now)
        case JobsDone() if end.stage is Stage.JOBS and isinstance(state.proxy, NoProxy):
            return _end_engine(state, end, policy, now)
        case Stop():
            return _skip_the_waiting(state, end, policy, now)
        case Due():
            return _drain_is_due(state, end, policy, now)
    return state, ()


def _without_engine(state: State, end: Draining, policy: Policy, now: float) -> Step:
    """Jobs in hand cannot be finished without an engine; the proxy has to say so to each."""
    if end.until is not None:
        end = replace(end, until=min(end.until, now + policy.stop_grace))
    return _end_or_wait(replace(state, engine=NoEngine(), end=end))


def _end_engine(state: State, end: Draining, policy: Policy, now: float) -> Step:
    """Its work is done: SIGTERM, where it is not on its way out already."""
    state = replace(state, end=replace(end, stage=Stage.PROCESSES, until=None))
    if isinstance(state.engine, Serving):
        return _terminate_engine(state, now + policy.stop_grace)
    return _end_or_wait(state)


def _terminate_engine(state: State, until: float) -> Step:
    return replace(state, engine=Leaving(until)), (Action.TERMINATE_ENGINE,)


def _skip_the_waiting(state: State, end: Draining, policy: Policy, now: float) -> Step:
    state, kill = _killed(state, policy, now)
    if isinstance(state.proxy, ProxyRunning) and end.stage is Stage.JOBS:
        end = replace(end, stage=Stage.ABORT, until=now + policy.abort_grace)
        return replace(state, end=end), (Action.ABORT_JOBS, *kill)
    state, kill_proxy = _proxy_killed(state, policy, now)
    end = replace(end, stage=Stage.PROCESSES, until=None)
    return replace(state, end=end), (*kill_proxy, *kill)


def _drain_is_due(state: State, end: Draining, policy: Policy, now: float) -> Step:
    """The jobs, or after them a process, have had their time."""
    if end.until is not None and now >= end.until:
        return _jobs_are_due(state, end, policy, now)
    match state.proxy, state.engine:
        case ProxyKilled(until=until), _ if now >= until:
            return _end_engine(
                replace(state, proxy=NoProxy()), replace(end, stuck=True), policy, now
            )
        case _, Leaving(until=until) if now >= until:
            return _killed(state, policy, now)
        case _, Killed(until=until) if now >= until:
            return _without_engine(state, replace(end, stuck=True), policy, now)
    return state, ()


def _jobs_are_due(state: State, end: Draining, policy: Policy, now: float) -> Step:
    if not isinstance(state.proxy, ProxyRunning):
        return _end_engine(state, end, policy, now)
    if end.stage is Stage.JOBS:
        end = replace(end, stage=Stage.ABORT, until=now + policy.abort_grace)
        return replace(state, end=end), (Action.ABORT_JOBS,)
    state, kill = _proxy_killed(state, policy, now)
    return replace(state, end=replace(end, stage=Stage.PROCESSES, until=None)), kill


def _killed(state: State, policy: Policy, now: float) -> Step:
    """SIGKILL to the engine, where there is one. One that was killed before keeps its deadline."""
    match state.engine:
        case Killed():
            return state, (Action.KILL_ENGINE,)
        case engine if isinstance(engine, Process):
            killed = replace(state, engine=Killed(now + policy.kill_grace))
            return killed, (Action.KILL_ENGINE,)
    return replace(state, engine=NoEngine()), ()


def _proxy_killed(state: State, policy: Policy, now: float) -> Step:
    match state.proxy:
        case ProxyRunning():
            killed = replace(state, proxy=ProxyKilled(now + policy.kill_grace))
            return killed, (Action.KILL_PROXY,)
        case ProxyKilled():
            return state, (Action.KILL_PROXY,)
    return state, ()


def _end_or_wait(state: State, actions: tuple[Action, ...] = ()) -> Step:
    if isinstance(state.engine, Process) or isinstance(state.proxy, ProxyRunning | ProxyKilled):
        return state, actions
    stuck = isinstance(state.end, Draining) and state.end.stuck
    if stuck:
        state = replace(state, history=replace(state.history, last_failure=_STUCK))
    code = ExitCode.UNEXPECTED if stuck else ExitCode.OK
    return replace(state, end=Finished(code)), (*actions, Action.EXIT)


# --- give up ---


def give_up(
    state: State, code: ExitCode, policy: Policy, now: float, *, jobs_left: bool = False
) -> Step:
    """The worker will end with `code`; the proxy sees it, tells the platform and every job, ends.

    `jobs_left`: a proxy that has just ended had jobs in hand.
    """
    if jobs_left:
        state = replace(state, proxy=ProxyWaiting(now, jobs_left=True))
    proxy, proxies, spawn = _proxy_for_jobs_left(state, now)
    state = replace(state, proxy=proxy)
    if isinstance(proxy, NoProxy):
        return replace(state, end=Finished(code)), (Action.EXIT,)
    end = GivingUp(code, now + policy.tell_grace, proxies=proxies)
    return replace(state, end=end), spawn


def while_giving_up(state: State, end: GivingUp, event: Event, policy: Policy, now: float) -> Step:
    """What `event` makes of a worker that has given up and waits for the proxy alone."""
    match event:
        case ProxyExited(jobs=jobs):
            if jobs and not end.aborted and end.proxies < policy.last_proxies:
                end = replace(end, proxies=end.proxies + 1, until=now + policy.tell_grace)
                return replace(state, proxy=ProxyRunning(now), end=end), (Action.SPAWN_PROXY,)
            return replace(state, proxy=NoProxy(), end=Finished(end.code)), (Action.EXIT,)
        case Exited():
            return replace(state, engine=NoEngine()), ()
        case Due() if now < end.until:
            return state, ()
        case Stop() | Due() if not end.aborted:
            end = replace(end, aborted=True, until=now + policy.abort_grace)
            return replace(state, end=end), (Action.ABORT_JOBS,)
        case Stop() | Due():
            over = replace(state, proxy=NoProxy(), end=Finished(end.code))
            return over, (Action.KILL_PROXY, Action.EXIT)
    return state, ()


def _proxy_for_jobs_left(
    state: State, now: float
) -> tuple[ProxyRunning | ProxyKilled | NoProxy, int, tuple[Action, ...]]:
    """The proxy of an end: one more for the jobs of one that is gone, because only a proxy can
    answer them, or tell them why not; none in place of one that had no job.

    Returns:
        The proxy, how many were started here, and the action for it.
    """
    match state.proxy:
        case ProxyWaiting(jobs_left=True):
            return ProxyRunning(now), 1, (Action.SPAWN_PROXY,)
        case ProxyWaiting():
            return NoProxy(), 0, ()
        case proxy:
            return proxy, 0, ()
