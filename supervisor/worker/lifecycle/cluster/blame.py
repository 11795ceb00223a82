"""Whose engine was the first to end, and why: what rank 0 makes of what the others say of it."""

from __future__ import annotations

from dataclasses import replace

from ..events import ExitCode
from ..failing import Step, give_up
from ..group import Leading, Node
from ..orders import Lost, Reported
from ..parts import Killed, Reason
from ..policy import Policy
from ..state import State
from . import talk


def words(rank: int, node: Node | Reported, lost: Lost) -> str:
    """The end of a rank's engine as a sentence."""
    return f"rank {rank} ({node.address}): {lost.cause}"


def reason(state: State, rank: int, node: Node | Reported, lost: Lost) -> Reason:
    """The same as that for which ours is killed."""
    final = lost.final and not state.history.was_ready
    return Reason(words(rank, node, lost), lost.kind, final=final, wanting=lost.wanting)


def told(state: State, group: Leading, event: Reported, lost: Lost) -> State:
    """A rank has told why its engine ended, while there is one of ours.

    Its end is seen before its cause is known: ours may have been killed for it already.
    """
    rank, engine = event.rank, state.engine
    before = words(rank, event, talk.UNTOLD)
    if isinstance(engine, Killed) and engine.why is not None and engine.why.words == before:
        engine = replace(engine, why=reason(state, rank, event, lost))
    return replace(state, engine=engine, group=group.blaming(words(rank, event, lost)))


def told_late(
    state: State, group: Leading, event: Reported, lost: Lost, policy: Policy, now: float
) -> Step:
    """Its engine ended in the generation that is over already: perhaps that was the first of it.

    If so, and no other start can mend that, there is none.
    """
    if event.generation != group.generation:
        return state, ()
    history, why = state.history, reason(state, event.rank, event, lost)
    first = (history.last_failure or "").startswith(words(event.rank, event, talk.UNTOLD))
    if first:
        state = replace(state, history=replace(history, engine_ended_by=lost.kind))
    state = in_history(state, group.blaming(why.words))
    if first and why.final:
        return give_up(state, ExitCode.CONFIGURATION, policy, now)
    return state, ()


def in_history(state: State, group: Leading) -> State:
    """`state` with what the others have told beside, or in place of, what is known of an end."""
    known = state.history.last_failure or ""
    for each in (each for each in group.blame if each not in known):
        known = known.replace(f"{_who(each)}): {talk.UNTOLD.cause}", each)
    others = (each for each in group.blame if _who(each) not in known)
    if new := "; ".join(others):
        known = f"{known}. Beside it: {new}" if known else new
    history = replace(state.history, last_failure=known or state.history.last_failure)
    return replace(state, history=history, group=group)


def _who(told_: str) -> str:
    return told_.partition("): ")[0]
