"""Rank 0: it waits for the other nodes, starts a generation of engines, and ends it for all."""

from __future__ import annotations

from dataclasses import replace

from ....diagnosis import kinds
from ..ending import end_engine, stop
from ..events import Action, Due, Event, ExitCode, Exited, Stop
from ..failing import Step, give_up
from ..group import Leading, Node, Rival, ranks
from ..orders import Hindered, Lost, NoAnswer, Prepared, Reported
from ..parts import (
    Awaiting,
    BackingOff,
    DrainingJobs,
    Leaving,
    Parting,
    Process,
    Reason,
    Serving,
    Starting,
    StillServing,
)
from ..policy import Policy
from ..state import State
from ..working import kill
from . import blame, staying, talk


def step(state: State, group: Leading, event: Event, policy: Policy, now: float) -> Step | None:
    """What `event` makes of rank 0; None where it is what it makes of any worker."""
    match event:
        case Prepared():
            return replace(state, group=replace(group, prepared=True)), ()
        case Hindered(cause):
            return replace(state, group=replace(group, hindered=cause)), ()
        case Reported():
            return _reported(state, group, event, policy, now)
        case Stop() if state.end is None:
            return staying.stop_of_rank_0(state, policy, now, others=group.serves)
        case NoAnswer(cause) if isinstance(state.engine, Starting) and state.end is None:
            return kill(state, Reason(cause, kinds.NO_ANSWER, guess=True), policy, now)
        case Stop() | Exited() if isinstance(state.end, Parting):
            return staying.no_more(state, policy, now, event)
        case Due():
            return _due(state, group, policy, now)
    return staying.step(state, event, policy, now)


def settle(
    before: State, state: State, group: Leading, event: Event, policy: Policy, now: float
) -> Step:
    """`state` after each step: all ranks are here, and the next generation begins; or the end of
    an engine has a cause that another rank told; or no requests need ours any more.
    """
    if isinstance(event, Exited) and group.blame and isinstance(before.engine, Process):
        state = blame.in_history(state, group)
    if isinstance(state.end, DrainingJobs) and state.end.done and not group.serves:
        return end_engine(state, policy, now, stuck=state.end.stuck)
    if isinstance(state.end, Parting) and not group.serves:
        return staying.no_more(state, policy, now)
    if not isinstance(state.engine, Awaiting) or not group.complete:
        return state, ()
    began = replace(group, generation=group.over + 1, blame=())
    starting = Starting(now + policy.startup_timeout)
    counts = group.generation and not state.history.wanting
    history = state.history.restarted() if counts else state.history
    began_all = replace(state, engine=starting, group=began, history=history)
    return began_all, (Action.SPAWN_ENGINE,)


# --- what followers say ---


def _reported(state: State, group: Leading, event: Reported, policy: Policy, now: float) -> Step:
    known, until = group.nodes.get(event.rank), now + policy.silence_most
    if event.wrong:
        sent_away = _is_sent_away(state, known, event)
        return (state, ()) if sent_away else _refuse(state, event.wrong, policy, now)
    if known is not None and known.run != event.run:
        return _claimed(state, group, known, event, policy, now)
    rival = None if known is None or known.rival is None else replace(known.rival, answered=True)
    refused = "" if known is None else known.refused
    node = Node(
        event.run,
        event.address,
        until,
        event.doing,
        event.generation,
        rival=rival,
        refused=refused,
        serves=event.serves,
    )
    group = replace(group, nodes={**group.nodes, event.rank: node})
    state, actions = _said_of_its_engine(
        replace(state, group=group), group, event, node, policy, now
    )
    if not event.stops or state.end is not None:
        return state, actions
    # Whatever else it says: it does not wait for long, and says nothing once it is gone.
    stops, more = staying.stop_of_rank_0(state, policy, now, others=group.serves)
    return stops, (*actions, *more)


def _is_sent_away(state: State, known: Node | None, event: Reported) -> bool:
    """Whether one that cannot be of these nodes ends alone: where engines run; and where they have
    served, unless it takes a rank that is awaited.
    """
    if isinstance(state.engine, Process) or state.end is not None:
        return True
    is_one_of_us = not event.foreign and (known is None or known.run == event.run)
    return state.history.was_ready and not is_one_of_us


def _said_of_its_engine(
    state: State, group: Leading, event: Reported, node: Node, policy: Policy, now: float
) -> Step:
    if isinstance(state.engine, Process):
        if (lost := talk.lost_now(node, group.generation, event.lost)) is None:
            return state, ()
        if event.lost is not None:
            state = blame.told(state, group, event, lost)
        return _lost(state, event.rank, node, lost, policy, now)
    if event.lost is not None and isinstance(state.engine, BackingOff | Awaiting):
        return blame.told_late(state, group, event, event.lost, policy, now)
    return state, ()


def _claimed(
    state: State, group: Leading, known: Node, event: Reported, policy: Policy, now: float
) -> Step:
    """Another run claims a rank: the one that replaces a node that is gone, or a second node.

    Both have spoken after each other where this one spoke, the known one did, and this one again.
    """
    rival = Rival(event.run, event.address, now + policy.silence_most)
    if known.rival is not None and known.rival.run == event.run:
        rival = replace(rival, answered=known.rival.answered)
    node = replace(known, rival=rival)
    if rival.answered:
        starts = not isinstance(state.engine, Process) and not state.history.was_ready
        if state.end is None and starts:  # nobody knows which one is meant
            twice = talk.claimed_twice(event.rank, known.address, event.address)
            return _refuse(state, twice, policy, now)
        node = replace(known, rival=None, refused=event.run)
    state = replace(state, group=replace(group, nodes={**group.nodes, event.rank: node}))
    if event.stops and state.end is None and not isinstance(state.engine, Process):
        return stop(state, policy, now)  # while they serve it may be a stranger
    return state, ()


def _refuse(state: State, cause: str, policy: Policy, now: float) -> Step:
    history = replace(state.history, last_failure=cause)
    return give_up(replace(state, history=history), ExitCode.CONFIGURATION, policy, now)


def _lost(state: State, rank: int, node: Node, lost: Lost, policy: Policy, now: float) -> Step:
    """A rank has no engine of this generation any more, so that nobody's is of use."""
    if not isinstance(state.engine, Starting | Serving | Leaving):
        return state, ()
    reason = blame.reason(state, rank, node, lost)
    match state.end:
        case None if not (isinstance(state.engine, Leaving) and state.engine.ended):
            return kill(state, reason, policy, now)
        case StillServing():
            killed, kills = kill(replace(state, end=None), reason, policy, now)
            drains, more = stop(killed, policy, now)
            return drains, (*kills, *more)
        case DrainingJobs():
            return kill(state, reason, policy, now)
        case Parting():
            return staying.no_more(state, policy, now)
    return state, ()


# --- deadlines ---


def _due(state: State, group: Leading, policy: Policy, now: float) -> Step | None:
    if state.end is None or isinstance(state.end, DrainingJobs | Parting):
        for rank, node in sorted(group.nodes.items()):
            if now >= node.until:
                return _silent(state, group, rank, node, policy, now)
        if (pruned := group.without_old_rivals(now)) != group:
            return replace(state, group=pruned), ()
    if isinstance(state.end, Parting) and now >= state.end.until:
        return staying.no_more(state, policy, now)
    if state.end is not None:
        return None
    match state.engine:
        case BackingOff(until=until) if now >= until:
            return replace(state, engine=Awaiting(now + policy.startup_timeout)), ()
        case Awaiting(until=until) if now >= until:
            words = _who_is_missing(group, policy)
            history = replace(state.history, last_failure=words)
            late = replace(state, history=history)
            return give_up(late, ExitCode.NOT_READY_IN_TIME, policy, now)
    return None


def _silent(
    state: State, group: Leading, rank: int, node: Node, policy: Policy, now: float
) -> Step:
    nodes = {each: known for each, known in group.nodes.items() if each != rank}
    group = replace(group, nodes=nodes)
    state = replace(state, group=group)
    lost = Lost(f"nothing was heard of it for {policy.silence_most:g} s", kinds.NODE_LOST)
    return _lost(state, rank, node, lost, policy, now)


def _who_is_missing(group: Leading, policy: Policy) -> str:
    within = f"within {policy.startup_timeout:.0f} s"
    told = []
    if group.missing:
        several = len(group.missing) > 1
        see = "their logs and whether they reach" if several else "its log and whether it reaches"
        told.append(f"{ranks(group.missing)} did not come {within}; see {see} {group.place}")
    for rank in group.awaited:
        if (node := group.nodes.get(rank)) is not None:
            words = talk.words(node)
            told.append(f"rank {rank} ({node.address}) {words}, and was not ready {within}")
    if not group.prepared:
        why = f": {group.hindered}" if group.hindered else ""
        told.append(f"rank 0 still downloads the model after {policy.startup_timeout:.0f} s{why}")
    return "; ".join(told)
