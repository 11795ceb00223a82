"""Give up: answer the jobs that come with the cause, then tell the platform and those in hand."""

from __future__ import annotations

from dataclasses import replace

from .events import Action, Due, Event, ExitCode, Exited, JobsSeen, ProxyExited, Stop
from .parts import (
    Answering,
    Awaiting,
    BackingOff,
    Finished,
    GivingUp,
    NoEngine,
    NoProxy,
    Proxy,
    ProxyRunning,
    ProxyWaiting,
)
from .policy import Policy
from .state import State

Step = tuple[State, tuple[Action, ...]]


def give_up(
    state: State, code: ExitCode, policy: Policy, now: float, *, told: bool = False
) -> Step:
    """The worker will end with `code`; before that the proxy tells the platform and every job.

    `told`: the platform knows.
    """
    proxy, proxies, spawn = last_proxy(state.proxy, now)
    if isinstance(proxy, NoProxy):
        told = told or isinstance(state.proxy, NoProxy)  # nobody takes this worker for one
        return _over(state, code, *(() if told else (Action.TELL_PLATFORM,)))
    engine = NoEngine() if isinstance(state.engine, BackingOff | Awaiting) else state.engine
    end = GivingUp(code, now + policy.tell_grace, proxies=proxies)
    return replace(state, engine=engine, proxy=proxy, end=end), spawn


def answer_then_give_up(state: State, code: ExitCode, policy: Policy, now: float) -> Step:
    """As `give_up`, where no worker of the endpoint could answer the jobs that wait: each job that
    comes is answered with the cause for a while, because otherwise nobody would hear of it.
    """
    if not policy.answer_failed_for or isinstance(state.proxy, NoProxy):
        return give_up(state, code, policy, now)
    end = Answering(code, now + policy.proxy_start_most)
    if isinstance(state.proxy, ProxyRunning):
        return replace(state, engine=NoEngine(), end=end), ()
    spawned = replace(state, engine=NoEngine(), proxy=ProxyRunning(now), end=end)
    return spawned, (Action.SPAWN_PROXY,)


# --- jobs are answered with the cause ---


def while_answering(state: State, end: Answering, event: Event, policy: Policy, now: float) -> Step:
    """What `event` makes of a worker whose proxy answers every job with the cause."""
    match event:
        case JobsSeen():
            return _jobs_seen(state, end, event, policy, now)
        case ProxyExited(code=ExitCode.CONFIGURATION):
            return _over(state, end.code)  # it cannot read its settings, and has told the platform
        case ProxyExited():
            if end.proxies < policy.last_proxies:
                another = Answering(
                    end.code, now + policy.proxy_start_most, proxies=end.proxies + 1
                )
                spawned = replace(state, proxy=ProxyRunning(now), end=another)
                return spawned, (Action.SPAWN_PROXY,)
            return _over(state, end.code, Action.TELL_PLATFORM)
        case Stop():
            told = give_up(state, end.code, policy, now)[0]
            return told, (Action.DRAIN_JOBS,)
        case Due() if now >= end.until:
            return give_up(state, end.code, policy, now)
    return state, ()


def _jobs_seen(state: State, end: Answering, event: JobsSeen, policy: Policy, now: float) -> Step:
    if end.quiet_since is None:  # the proxy takes jobs from now on
        begun = replace(end, until=now + policy.answer_failed_for, quiet_since=now)
        return replace(state, end=replace(begun, taken=event.taken)), ()
    if event.in_hand or event.taken != end.taken:
        return replace(state, end=replace(end, quiet_since=now, taken=event.taken)), ()
    if now - end.quiet_since >= policy.quiet_most:
        return give_up(state, end.code, policy, now)
    return state, ()


# --- the platform and the jobs in hand are told ---


def while_giving_up(state: State, end: GivingUp, event: Event, policy: Policy, now: float) -> Step:
    """What `event` makes of a worker that has given up and waits for the proxy alone."""
    match event:
        case ProxyExited(jobs=jobs):
            if jobs and not end.aborted and end.proxies < policy.last_proxies:
                until = now + policy.tell_grace
                another = replace(end, proxies=end.proxies + 1, until=until)
                spawned = replace(state, proxy=ProxyRunning(now), end=another)
                return spawned, (Action.SPAWN_PROXY,)
            tell = () if event.told else (Action.TELL_PLATFORM,)
            return _over(state, end.code, *tell)
        case Exited():
            return replace(state, engine=NoEngine()), ()
        case Due() if now < end.until:
            return state, ()
        case Stop() | Due() if not end.aborted:
            aborted = replace(end, aborted=True, until=now + policy.abort_grace)
            return replace(state, end=aborted), (Action.ABORT_JOBS,)
        case Stop():
            return _over(state, end.code, Action.KILL_PROXY)
        case Due():
            return _over(state, end.code, Action.KILL_PROXY, Action.TELL_PLATFORM)
    return state, ()


def _over(state: State, code: ExitCode, *actions: Action) -> Step:
    over = replace(state, engine=NoEngine(), proxy=NoProxy(), end=Finished(code))
    return over, (*actions, Action.EXIT)


def last_proxy(proxy: Proxy, now: float) -> tuple[ProxyRunning | NoProxy, int, tuple[Action, ...]]:
    """The proxy of an end: one more for the jobs of one that is gone, because only a proxy can
    answer them, or tell them why not; none in place of one that had no job.

    Returns:
        The proxy, how many were started here, and the action for it.
    """
    match proxy:
        case ProxyRunning():
            return proxy, 0, ()
        case ProxyWaiting(jobs_left=True):
            return ProxyRunning(now), 1, (Action.SPAWN_PROXY,)
    return NoProxy(), 0, ()
