"""Stop and drain."""

from __future__ import annotations

from dataclasses import replace

from .events import Action, Due, Event, ExitCode, Exited, JobsDone, ProxyExited, Stop
from .failing import Step, last_proxy
from .parts import (
    Awaiting,
    BackingOff,
    DrainingJobs,
    DrainingProcesses,
    Engine,
    Finished,
    Killed,
    Leaving,
    NoEngine,
    NoProxy,
    Process,
    Proxy,
    ProxyKilled,
    ProxyRunning,
    ProxyWaiting,
    Serving,
    StillServing,
)
from .policy import Policy
from .state import State

_STUCK = "a process was killed and did not end"


# --- stop ---


def stop(state: State, policy: Policy, now: float) -> Step:
    """The worker is asked to stop while it works."""
    if policy.drain_delay and isinstance(state.engine, Serving):
        return replace(state, end=StillServing(now + policy.drain_delay)), ()
    return _drain(state, policy, now)


def while_still_serving(
    state: State, end: StillServing, event: Event, policy: Policy, now: float
) -> Step:
    """What `event` makes of a worker that was asked to stop, and still answers what comes."""
    match event:
        case Exited(left=left):
            gone = replace(state, engine=BackingOff(now), end=None)
            return _drain(gone, policy, now, stuck=left)
        case ProxyExited(jobs=jobs):
            waiting = replace(state, proxy=ProxyWaiting(now, jobs_left=jobs > 0), end=None)
            return _drain(waiting, policy, now)
        case Stop():
            return _drain(state, policy, now)
        case Due() if now >= end.until:
            return _drain(state, policy, now)
    return state, ()


def _drain(state: State, policy: Policy, now: float, *, stuck: bool = False) -> Step:
    proxy, proxies, spawn = last_proxy(state.proxy, now)
    has_proxy = isinstance(proxy, ProxyRunning)
    if isinstance(state.engine, Serving):
        if policy.engine_drains_itself and not has_proxy:
            until = now + policy.drain_timeout + policy.stop_grace
            end = DrainingProcesses()
            told = replace(state, engine=Leaving(until), proxy=proxy, end=end)
            return told, (Action.TERMINATE_ENGINE,)
        jobs = DrainingJobs(now + policy.drain_timeout, proxies=proxies)
        drain = (*spawn, Action.DRAIN_JOBS)
        return replace(state, proxy=proxy, end=jobs), drain
    # No job can be in an engine that is not ready: nothing is worth waiting for, except that the
    # proxy tells those that wait for the engine.
    engine, kill = _killed(state.engine, policy, now)
    if has_proxy:
        jobs = DrainingJobs(now + policy.stop_grace, proxies=proxies, stuck=stuck)
        drain = (*spawn, Action.DRAIN_JOBS, *kill)
        return replace(state, engine=engine, proxy=proxy, end=jobs), drain
    return _end_or_wait(state, engine, NoProxy(), DrainingProcesses(stuck), kill)


# --- drain: the jobs ---


def while_jobs_drain(
    state: State, end: DrainingJobs, event: Event, policy: Policy, now: float
) -> Step:
    """What `event` makes of a worker whose jobs in hand are being finished."""
    match event:
        case Exited(left=left):
            stuck = end.stuck or left
            if isinstance(state.proxy, NoProxy):
                processes = DrainingProcesses(stuck)
                return _end_or_wait(state, NoEngine(), state.proxy, processes)
            # Jobs in hand cannot be finished without an engine; the proxy has to say so to each.
            soon = min(end.until, now + policy.stop_grace)
            return replace(state, engine=NoEngine(), end=replace(end, until=soon, stuck=stuck)), ()
        case ProxyExited(jobs=jobs) if isinstance(state.proxy, ProxyRunning):
            if jobs and not end.aborted and end.proxies < policy.last_proxies:
                another = replace(end, proxies=end.proxies + 1)
                spawned = replace(state, proxy=ProxyRunning(now), end=another)
                return spawned, (Action.SPAWN_PROXY, Action.DRAIN_JOBS)
            return end_engine(state, policy, now, stuck=end.stuck)
        case JobsDone() if isinstance(state.proxy, NoProxy):
            return end_engine(state, policy, now, stuck=end.stuck)
        case Stop():
            return _skip_the_jobs(state, end, policy, now)
        case Due() if now >= end.until:
            return _jobs_are_due(state, end, policy, now)
        case Due() if isinstance(state.engine, Killed) and now >= state.engine.until:
            soon = min(end.until, now + policy.stop_grace)
            return replace(state, engine=NoEngine(), end=replace(end, until=soon, stuck=True)), ()
    return state, ()


def _skip_the_jobs(state: State, end: DrainingJobs, policy: Policy, now: float) -> Step:
    engine, kill = _killed(state.engine, policy, now)
    if not isinstance(state.proxy, ProxyRunning):
        return _end_or_wait(state, engine, NoProxy(), DrainingProcesses(end.stuck), kill)
    if end.aborted:
        killed = ProxyKilled(now + policy.kill_grace)
        processes = DrainingProcesses(end.stuck)
        ends = replace(state, engine=engine, proxy=killed, end=processes)
        return ends, (Action.KILL_PROXY, *kill)
    aborted = replace(end, until=now + policy.abort_grace, aborted=True)
    return replace(state, engine=engine, end=aborted), (Action.ABORT_JOBS, *kill)


def _jobs_are_due(state: State, end: DrainingJobs, policy: Policy, now: float) -> Step:
    if not isinstance(state.proxy, ProxyRunning):
        return end_engine(state, policy, now, stuck=end.stuck)
    if end.aborted:
        killed = ProxyKilled(now + policy.kill_grace)
        processes = DrainingProcesses(end.stuck)
        return replace(state, proxy=killed, end=processes), (Action.KILL_PROXY,)
    aborted = replace(end, until=now + policy.abort_grace, aborted=True)
    return replace(state, end=aborted), (Action.ABORT_JOBS,)


# --- drain: the processes ---


def while_processes_end(
    state: State, end: DrainingProcesses, event: Event, policy: Policy, now: float
) -> Step:
    """What `event` makes of a worker that waits for its processes alone."""
    match event:
        case Exited(left=left):
            stuck = DrainingProcesses(end.stuck or left)
            return _end_or_wait(state, NoEngine(), state.proxy, stuck)
        case ProxyExited() if isinstance(state.proxy, ProxyKilled):
            return end_engine(state, policy, now, stuck=end.stuck)
        case Stop():
            engine, kill = _killed(state.engine, policy, now)
            again = (Action.KILL_PROXY,) if isinstance(state.proxy, ProxyKilled) else ()
            return replace(state, engine=engine), (*again, *kill)
        case Due():
            return _process_is_due(state, end, policy, now)
    return state, ()


def _process_is_due(state: State, end: DrainingProcesses, policy: Policy, now: float) -> Step:
    match state.proxy, state.engine:
        case ProxyKilled(until=until), _ if now >= until:
            return end_engine(state, policy, now, stuck=True)
        case _, Leaving(until=until) if now >= until:
            engine, kill = _killed(state.engine, policy, now)
            return replace(state, engine=engine), kill
        case _, Killed(until=until) if now >= until:
            stuck = replace(end, stuck=True)
            return _end_or_wait(state, NoEngine(), state.proxy, stuck)
    return state, ()


def end_engine(state: State, policy: Policy, now: float, *, stuck: bool = False) -> Step:
    """The jobs and the proxy are gone: SIGTERM, where the engine is not on its way out already."""
    end = DrainingProcesses(stuck)
    if isinstance(state.engine, Serving):
        leaving = Leaving(now + policy.stop_grace)
        ends = replace(state, engine=leaving, proxy=NoProxy(), end=end)
        return ends, (Action.TERMINATE_ENGINE,)
    return _end_or_wait(state, state.engine, NoProxy(), end)


def _killed(engine: Engine, policy: Policy, now: float) -> tuple[Engine, tuple[Action, ...]]:
    """SIGKILL to the engine, where there is one. One that was killed before keeps its deadline."""
    match engine:
        case Killed():
            return engine, (Action.KILL_ENGINE,)
        case NoEngine() | BackingOff() | Awaiting():
            return NoEngine(), ()
    return Killed(now + policy.kill_grace), (Action.KILL_ENGINE,)


def _end_or_wait(
    state: State,
    engine: Engine,
    proxy: Proxy,
    end: DrainingProcesses,
    actions: tuple[Action, ...] = (),
) -> Step:
    if isinstance(engine, Process) or isinstance(proxy, ProxyKilled):
        return replace(state, engine=engine, proxy=proxy, end=end), actions
    if end.stuck:
        state = replace(state, history=replace(state.history, last_failure=_STUCK))
    finished = Finished(ExitCode.UNEXPECTED if end.stuck else ExitCode.OK)
    over = replace(state, engine=NoEngine(), proxy=NoProxy(), end=finished)
    return over, (*actions, Action.EXIT)
