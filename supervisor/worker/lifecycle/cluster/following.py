"""Every rank but 0: it does what rank 0 says, and ends its engine where that says nothing."""

from __future__ import annotations

import math
from dataclasses import replace

from ....diagnosis import kinds
from ..ending import end_engine, stop
from ..events import Action, Due, Event, ExitCode, Exited, JobsDone, ProxyExited, Ready, Stop
from ..failing import Step, give_up
from ..group import Following
from ..orders import Hindered, Lost, Ordered, Prepared, Start, StopAll, Unheard, Wait
from ..parts import (
    Awaiting,
    DrainingJobs,
    Killed,
    Leaving,
    NoProxy,
    Parting,
    Process,
    Reason,
    Serving,
    Starting,
    StillServing,
)
from ..policy import Policy
from ..state import Phase, State
from ..working import kill, our_reason
from . import staying


def step(state: State, group: Following, event: Event, policy: Policy, now: float) -> Step | None:
    """What `event` makes of a follower; None where it is what it makes of any worker."""
    if not isinstance(state.end, StillServing | DrainingJobs | Parting | None):
        return None
    match event:
        case Prepared():
            return replace(state, group=replace(group, prepared=True)), ()
        case Hindered(cause):
            return replace(state, group=replace(group, hindered=cause)), ()
        case Unheard(cause):
            return replace(state, group=replace(group, unheard=cause)), ()
        case Ordered():
            return _ordered(state, group, event, policy, now)
        case Ready() if group.headless:
            return state, ()  # it follows from what rank 0 said, and may be of an engine before
        case Stop() if isinstance(state.end, Parting):
            return _leave(state, policy, now)
        case Stop() if state.end is None:
            return _asked_to_stop(state, group, policy, now)
        case Exited() if isinstance(state.engine, Process) and state.end is None:
            return _exited(state, group, event, policy, now)
        case Exited() if isinstance(state.end, Parting):
            return _exited_at_the_end(state, group, event, state.end, policy, now)
        case Due() if not isinstance(state.end, StillServing):
            return _due(state, group, policy, now)
        case JobsDone() | ProxyExited():
            return _stay(staying.step(state, event, policy, now), policy)
    return None


def settle(state: State, group: Following, policy: Policy, now: float) -> Step:
    """`state` after each step, with what rank 0 said last carried out as far as that can be."""
    if isinstance(state.end, DrainingJobs) and state.end.done and not _is_needed(group, now):
        return end_engine(state, policy, now, stuck=state.end.stuck)
    if not isinstance(state.end, Parting | None):
        return state, ()
    runs = isinstance(state.engine, Starting | Serving)
    match group.order:
        case Wait(number) if runs and group.generation <= number:
            ended = f"rank 0 ended generation {group.generation}"
            return kill(state, Reason(ended, kinds.ORDERED, guess=True), policy, now)
        case Wait(number) if not runs and group.generation < number:
            return replace(state, group=replace(group, generation=number, lost=None)), ()
        case Start(number) if group.generation < number:
            if runs:
                newer = Reason(f"rank 0 started generation {number}", kinds.ORDERED, guess=True)
                return kill(state, newer, policy, now)
            if isinstance(state.engine, Awaiting) and group.prepared and not group.stops:
                return _start(state, group, number, policy, now)
        case Start(number) if group.generation == number and group.headless:
            if isinstance(state.engine, Starting) and group.phase == Phase.READY:
                history = replace(state.history, was_ready=True)
                serving = replace(state, engine=Serving(now), history=history)
                return serving, (Action.COUNT_READY,)
        case Start(number) if group.generation == number and group.phase == Phase.DRAINING:
            # It has requests of its own; while it still starts, rank 0 drains alone.
            if isinstance(state.engine, Serving) and state.end is None:
                return stop(state, policy, now)
    return state, ()


def _start(state: State, group: Following, number: int, policy: Policy, now: float) -> Step:
    # A headless engine says nothing of its start: rank 0 says when it takes too long.
    until = math.inf if group.headless else now + policy.startup_timeout
    counts = state.history.failures and not state.history.wanting
    history = state.history.restarted() if counts else state.history
    begun = replace(group, generation=number, lost=None)
    started = replace(state, engine=Starting(until), group=begun, history=history)
    return started, (Action.SPAWN_ENGINE,)


def _ordered(state: State, group: Following, event: Ordered, policy: Policy, now: float) -> Step:
    group = replace(
        group,
        until=now + policy.silence_most,
        order=event.order,
        phase=event.phase,
        missing=event.missing,
        unheard="",
    )
    state = replace(state, group=group)
    if isinstance(state.engine, Awaiting):
        state = replace(state, engine=Awaiting(now + policy.startup_timeout))
    if isinstance(event.order, StopAll):
        return _told_to_stop(state, event.order, policy, now)
    return state, ()


def _told_to_stop(state: State, order: StopAll, policy: Policy, now: float) -> Step:
    if order.code == ExitCode.OK:
        if isinstance(state.end, StillServing | DrainingJobs):
            return state, ()
        has_jobs = isinstance(state.group, Following) and not state.group.headless
        return (
            stop(state, policy, now)
            if has_jobs and state.end is None
            else _leave(state, policy, now)
        )
    history = replace(state.history, last_failure=order.cause or "rank 0 has given up")
    code = ExitCode(order.code) if order.code in set(ExitCode) else ExitCode.UNEXPECTED
    return give_up(replace(state, history=history), code, policy, now)


# --- this node is asked to stop ---


def _asked_to_stop(state: State, group: Following, policy: Policy, now: float) -> Step:
    state = replace(state, group=replace(group, stops=True))
    if group.until is None or now >= group.until:
        return stop(state, policy, now)
    has_proxy = not isinstance(state.proxy, NoProxy)
    if not group.headless and (has_proxy or isinstance(state.engine, Serving)):
        return stop(state, policy, now)  # it has requests of its own
    if isinstance(state.engine, Starting):
        state = replace(state, engine=Starting(math.inf))  # rank 0 may serve already
    runs = isinstance(state.engine, Starting | Serving)
    drain = policy.drain_delay + policy.drain_timeout + policy.abort_grace
    # In the place of a node that is gone it is heard when rank 0 knows that.
    rest = drain if runs else policy.silence_most
    return replace(state, end=Parting(now + rest + policy.stop_grace)), ()


def _stay(step: Step | None, policy: Policy) -> Step | None:
    """`step`, in which a node that has no more requests of its own waits for rank 0's last ones."""
    if step is None or not isinstance(end := step[0].end, DrainingJobs) or not end.done:
        return step
    later = end.until + policy.abort_grace + policy.stop_grace  # rank 0 may have begun after us
    return replace(step[0], end=replace(end, until=later)), step[1]


def _is_needed(group: Following, now: float) -> bool:
    """Whether rank 0 has an engine that needs that of this node."""
    if group.until is None or now >= group.until:
        return False
    return isinstance(group.order, Start) and group.order.generation == group.generation


def _leave(state: State, policy: Policy, now: float) -> Step:
    """End the engine, and then this worker, with code 0."""
    state = replace(state, end=None)
    if isinstance(state.engine, Serving):
        return end_engine(state, policy, now)
    return stop(state, policy, now)


def _exited_at_the_end(
    state: State, group: Following, event: Exited, end: Parting, policy: Policy, now: float
) -> Step:
    if event.left:
        return _gave_up(state, event, policy, now)
    # Rank 0 hears of it, and has nothing to drain any more.
    soon = min(end.until, now + policy.stop_grace)
    return replace(_lost(state, group, event), engine=Awaiting(soon), end=Parting(soon)), ()


# --- the engine ---


def _exited(state: State, group: Following, event: Exited, policy: Policy, now: float) -> Step:
    if event.left:
        return _gave_up(state, event, policy, now)
    awaiting = Awaiting(now + policy.startup_timeout)
    return replace(_lost(state, group, event), engine=awaiting), ()


def _lost(state: State, group: Following, event: Exited) -> State:
    """`state` in which it is known, and told to rank 0, why the engine has ended."""
    # An engine that was dying when rank 0 ended it may have been the first of all.
    why = our_reason(state.engine, event) if isinstance(state.engine, Killed) else None
    cause = event.cause if why is None else why.words
    kind = event.kind if why is None else why.kind
    final = event.final if why is None else why.final
    wanting = event.wanting and why is None
    history = replace(
        state.history,
        failures=state.history.failures + (not wanting),
        wanting=state.history.wanting + 1 if wanting else 0,
        last_failure=cause,
        engine_ended_by=kind,
    )
    by_itself = kind != kinds.ORDERED
    told = replace(group, lost=Lost(cause, kind, final, wanting) if by_itself else None)
    return replace(state, history=history, group=told)


def _gave_up(state: State, event: Exited, policy: Policy, now: float) -> Step:
    words = f"the engine's processes cannot be killed; it ended because: {event.cause}"
    history = replace(state.history, last_failure=words)
    return give_up(replace(state, end=None, history=history), ExitCode.UNEXPECTED, policy, now)


# --- deadlines ---


def _due(state: State, group: Following, policy: Policy, now: float) -> Step | None:
    runs = isinstance(state.engine, Starting | Serving)
    if runs and group.until is not None and now >= group.until:
        silent = f"rank 0 ({group.place}) said nothing for {policy.silence_most:g} s"
        why = f"{silent}: {group.unheard}" if group.unheard else silent
        return kill(state, Reason(why, kinds.NODE_LOST), policy, now)
    match state.end, state.engine:
        case Parting(until=until), _ if now >= until:
            return _leave(state, policy, now)
        case Parting(), (Leaving(until=until) | Killed(until=until)) if now >= until:
            return _leave(state, policy, now)
        case None, Awaiting(until=until) if now >= until:
            silent = f"rank 0 ({group.place}) did not answer for {policy.startup_timeout:.0f} s"
            why = f"{silent}: {group.unheard}" if group.unheard else silent
            history = replace(state.history, last_failure=why)
            late = replace(state, history=history)
            return give_up(late, ExitCode.NOT_READY_IN_TIME, policy, now)
    return None
