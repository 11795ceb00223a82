"""The engine and the proxy while the worker works."""

from __future__ import annotations

from dataclasses import replace

from ...diagnosis import kinds
from .ending import stop
from .events import (
    Action,
    CannotFit,
    Due,
    Ended,
    Event,
    ExitCode,
    Exited,
    Probed,
    ProxyExited,
    Ready,
    Stalled,
    Stop,
    Warming,
)
from .failing import Step, answer_then_give_up, give_up
from .parts import (
    BackingOff,
    Killed,
    Leaving,
    Process,
    ProxyRunning,
    ProxyWaiting,
    Reason,
    Serving,
    Starting,
)
from .policy import Policy, backoff
from .state import State

_UNKILLABLE = "the engine's processes cannot be killed"

#: Kinds of an engine's end that have an exit code of their own.
_CODES = {
    kinds.OUT_OF_MEMORY: ExitCode.OUT_OF_MEMORY,
    kinds.COMMAND_NOT_FOUND: ExitCode.NOT_FOUND,
    kinds.COMMAND_NOT_EXECUTABLE: ExitCode.NOT_EXECUTABLE,
}


def while_working(state: State, event: Event, policy: Policy, now: float, jitter: float) -> Step:
    """What `event` makes of a worker that works."""
    match event:
        case Stop():
            return stop(state, policy, now)
        case Due():
            return _due(state, policy, now)
        case Exited() if isinstance(state.engine, Process):
            return _exited(state, state.engine, event, policy, now, jitter)
        case ProxyExited() if isinstance(state.proxy, ProxyRunning):
            return _proxy_exited(state, state.proxy, event, policy, now, jitter)
    match state.engine, event:
        case Starting(), Ready():
            history = replace(state.history, was_ready=True, wanting=0)
            return replace(state, engine=Serving(now), history=history), ()
        case Starting(until), Warming(seconds):
            # A start that came to life in time is not late for what is done to it then.
            return replace(state, engine=Starting(max(until, now + seconds))), ()
        case Starting(), CannotFit(cause) if not state.history.was_ready:
            return kill(state, Reason(cause, final=True), policy, now)
        case ((Starting() | Serving() | Leaving()), Ended()):
            return _leave(state, policy, now)
        case Serving() as serving, Probed():
            return _probed(state, serving, event, policy, now)
        case Leaving(sick=Serving() as served), Probed(healthy=True):
            return replace(state, engine=replace(served, missed=0)), ()
        case Serving(), Stalled(seconds):
            silent = f"requests ran, and for {seconds:.0f} s the engine gave no token to any"
            return kill(state, Reason(silent, kinds.STALLED), policy, now)
    return state, ()


# --- the engine ---


def _probed(state: State, serving: Serving, event: Probed, policy: Policy, now: float) -> Step:
    if event.sick:
        # It ends by itself, and its last lines say why: better than what we could say.
        return _leave(state, policy, now, sick=serving)
    if event.healthy:
        state = _forgiven(state, serving, policy, now)
        return replace(state, engine=replace(serving, missed=0)), ()
    missed = serving.missed + 1
    if missed < policy.hung_after:
        return replace(state, engine=replace(serving, missed=missed)), ()
    hung = Reason(f"the engine did not answer {missed} health probes in a row", kinds.HUNG)
    return kill(state, hung, policy, now)


def _forgiven(state: State, serving: Serving, policy: Policy, now: float) -> State:
    """After a long healthy time the failures before it count no more."""
    if now - serving.since < policy.healthy_again:
        return state
    return replace(state, history=replace(state.history, failures=0))


def _leave(state: State, policy: Policy, now: float, sick: Serving | None = None) -> Step:
    if isinstance(state.engine, Serving):
        state = _forgiven(state, state.engine, policy, now)
    return replace(state, engine=Leaving(now + policy.end_grace, sick is None, sick)), ()


def kill(state: State, why: Reason | None, policy: Policy, now: float) -> Step:
    """End the engine that runs."""
    if isinstance(state.engine, Serving):
        state = _forgiven(state, state.engine, policy, now)
    killed = Killed(now + policy.kill_grace, why)
    return replace(state, engine=killed), (Action.KILL_ENGINE,)


def _exited(
    state: State, engine: Process, event: Exited, policy: Policy, now: float, jitter: float
) -> Step:
    if isinstance(engine, Serving):
        state = _forgiven(state, engine, policy, now)
    why = our_reason(engine, event)
    kind = event.kind if why is None else why.kind
    history = replace(state.history, last_failure=_cause(engine, event), engine_ended_by=kind)
    wanting = event.wanting or (why is not None and why.wanting)
    if wanting and not event.left:
        return _wanting(replace(state, history=history), policy, now)
    history = replace(history, wanting=0)
    # For the moment: it is gone, and whether another one comes is decided below. After a job's
    # fault the others wait no longer than they must.
    failures = 0 if event.excused else history.failures
    backing_off = BackingOff(now + backoff(failures, policy, jitter))
    state = replace(state, engine=backing_off, history=history)
    if event.left:
        return give_up(state, ExitCode.UNEXPECTED, policy, now)
    code = _CODES.get(event.kind)
    if _is_final(engine) and not event.out_of_memory:
        # Of this machine: a worker of the endpoint that has a larger GPU can answer the jobs.
        return give_up(state, ExitCode.CONFIGURATION, policy, now)
    if event.final and not history.was_ready:
        giving_up = answer_then_give_up if event.shared else give_up
        return giving_up(state, code or ExitCode.CONFIGURATION, policy, now)
    if event.excused:
        return state, ()  # a job's fault is no failure of the engine's
    if history.failures >= policy.max_restarts:
        late = isinstance(engine, Killed) and engine.why is not None and engine.why.late
        last = ExitCode.NOT_READY_IN_TIME if late else code or ExitCode.RESTARTS_USED_UP
        return give_up(state, last, policy, now)
    return replace(state, history=replace(history, failures=history.failures + 1)), ()


def _wanting(state: State, policy: Policy, now: float) -> Step:
    """Try again soon: that is no failure. But no longer than a start may take."""
    history = replace(state.history, wanting=state.history.wanting + 1)
    waiting = BackingOff(now + policy.wanting_pause, spawned=False)
    state = replace(state, engine=waiting, history=history)
    if history.wanting * policy.wanting_pause >= policy.startup_timeout:
        why = f"{history.last_failure}; so it was for {policy.startup_timeout:.0f} s"
        state = replace(state, history=replace(history, last_failure=why))
        return give_up(state, ExitCode.NOT_READY_IN_TIME, policy, now)
    return state, ()


def _is_final(engine: Process) -> bool:
    """Whether we killed it for what another start would meet again."""
    return isinstance(engine, Killed) and engine.why is not None and engine.why.final


def _cause(engine: Process, event: Exited) -> str:
    cause = event.cause
    if (why := our_reason(engine, event)) is not None:
        doing = "" if why.final or not event.doing else f", still {event.doing}"
        cause = f"{why.words}{doing}"
    if event.left:
        return f"{_UNKILLABLE}, and none may be started beside them; it ended because: {cause}"
    return cause


def our_reason(engine: Process, event: Exited) -> Reason | None:
    """Why we killed it, where that is the cause: what the kernel killed for memory is no hang, and
    an engine that was dead before has said why.
    """
    why = engine.why if isinstance(engine, Killed) and not event.out_of_memory else None
    return None if why is None or (why.guess and event.told) else why


# --- the proxy ---


def _proxy_exited(
    state: State,
    proxy: ProxyRunning,
    event: ProxyExited,
    policy: Policy,
    now: float,
    jitter: float,
) -> Step:
    history = state.history
    gone = ProxyWaiting(now, jobs_left=event.jobs > 0)
    failed = replace(state, proxy=gone, history=replace(history, last_failure=event.words))
    if event.unfit:
        return give_up(failed, ExitCode.UNEXPECTED, policy, now, told=True)
    if event.code == ExitCode.CONFIGURATION:
        return give_up(failed, ExitCode.CONFIGURATION, policy, now, told=True)
    if event.wanting:
        return replace(failed, proxy=replace(gone, until=now + policy.wanting_pause)), ()
    lasted = now - proxy.since >= policy.proxy_healthy_again
    failures = 0 if lasted else history.proxy_failures
    if failures >= policy.max_restarts:
        return give_up(failed, ExitCode.RESTARTS_USED_UP, policy, now)
    delay = min(policy.proxy_backoff_most, backoff(failures, policy, jitter))
    return replace(
        state,
        proxy=ProxyWaiting(now + delay, jobs_left=event.jobs > 0),
        history=replace(history, proxy_failures=failures + 1),
    ), ()


# --- deadlines ---


def _due(state: State, policy: Policy, now: float) -> Step:
    if isinstance(state.proxy, ProxyWaiting) and now >= state.proxy.until:
        return replace(state, proxy=ProxyRunning(now)), (Action.SPAWN_PROXY,)
    match state.engine:
        case BackingOff(until=until, spawned=spawned) if now >= until:
            history = state.history.restarted() if spawned else state.history
            starting = Starting(now + policy.startup_timeout)
            return replace(state, engine=starting, history=history), (Action.SPAWN_ENGINE,)
        case Starting(until=until) if now >= until:
            late = f"the engine was not ready after {policy.startup_timeout:.0f} s"
            return kill(state, Reason(late, kinds.LATE, late=True), policy, now)
        case Leaving(until=until, ended=ended) if now >= until:
            words = "the engine said that it is dead and did not end"
            return kill(
                state, None if ended else Reason(words, kinds.DEAD, guess=True), policy, now
            )
        case Killed(until=until) if now >= until:
            history = replace(state.history, last_failure=_UNKILLABLE)
            return give_up(replace(state, history=history), ExitCode.UNEXPECTED, policy, now)
    return state, ()
