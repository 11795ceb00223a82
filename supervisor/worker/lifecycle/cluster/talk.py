"""What a node's state is in the words that nodes exchange."""

from __future__ import annotations

from ..events import ExitCode
from ..group import Following, Leading, Node, ranks
from ..orders import Doing, Lost, Order, Reported, Start, StopAll, Wait
from ..parts import (
    Answering,
    Awaiting,
    BackingOff,
    DrainingJobs,
    DrainingProcesses,
    Finished,
    GivingUp,
    Leaving,
    NoEngine,
    Serving,
    Starting,
    StillServing,
)
from ..state import State

#: Of an engine that has ended, while why is not known yet.
UNTOLD = Lost("its engine ended")


def order(state: State, group: Leading, rank: int, run: str) -> Order:
    """What rank 0 says to one that asks.

    Args:
        state: of rank 0.
        group: its view.
        rank: who asks.
        run: which run of its supervisor that is.
    """
    if isinstance(state.end, Answering | GivingUp | Finished):
        code = state.end.code
        return StopAll(code, (state.history.last_failure or "") if code else "")
    node = group.nodes.get(rank)
    if node is not None and run == node.refused:
        return StopAll(ExitCode.CONFIGURATION, claimed_twice(rank, node.address, ""))
    if node is None or node.run != run or not _runs(state):
        return Wait(group.over)
    return Start(group.generation)


def claimed_twice(rank: int, one: str, other: str) -> str:
    """The sentence about a rank that two nodes claim; `other` may not be known."""
    both = f"by {one} and by {other}" if other and other != one else f"twice, by {one}"
    return f"rank {rank} is claimed {both}; NODE_RANK must differ"


def doing(state: State, group: Following) -> Doing:
    """How the engine of a follower stands."""
    match state.engine:
        case NoEngine() | BackingOff() | Awaiting():
            return Doing.WAITING if group.prepared else Doing.PREPARING
        case Starting() | Serving():
            return Doing.RUNNING
    return Doing.ENDING


def words(node: Node) -> str:
    """What a node that has not joined is doing."""
    if node.rival is not None:
        return "waits until another one that had this rank is gone"
    return {
        Doing.PREPARING: "downloads the model",
        Doing.RUNNING: "still has an engine",
        Doing.ENDING: "ends its engine",
    }.get(node.doing, "joins")


def lost_now(node: Node, generation: int, lost: Lost | None) -> Lost | None:
    """Why the engine of `generation` is gone at a node that says so; None where it is not."""
    if node.generation < generation or node.doing is Doing.RUNNING:
        return None
    return lost or UNTOLD


def _runs(state: State) -> bool:
    """Whether engines of this generation may run."""
    match state.engine:
        case Starting() | Serving():
            return True
        case Leaving(ended=ended):
            return not ended or isinstance(state.end, DrainingProcesses)
    return False


def report(state: State, group: Following, run: str) -> Reported:
    """What a follower says of itself; its address is known to who hears it.

    Args:
        state: of the follower.
        group: its view.
        run: which run of its supervisor this is.
    """
    how, lost = doing(state, group), group.lost
    if isinstance(state.end, GivingUp | Finished):
        how = Doing.ENDING  # nothing will join any more
        if state.end.code:
            lost = Lost(state.history.last_failure or "its worker has given up")
    return Reported(
        group.rank, run, "", how, group.generation, lost, group.stops, serves=_serves(state, group)
    )


def _serves(state: State, group: Following) -> bool:
    if group.headless or not isinstance(state.engine, Serving):
        return False
    match state.end:
        case DrainingJobs(done=done):
            return not done
    return isinstance(state.end, StillServing | None)


def waits_for(state: State) -> str | None:
    """What a node without an engine waits for, in words; None where it waits for nothing."""
    if not isinstance(state.engine, Awaiting) or state.group is None:
        return None
    if not state.group.prepared:
        why = state.group.hindered
        return f"downloading the model, after a failure: {why}" if why else "downloading the model"
    if isinstance(state.group, Following):
        return f"waiting for rank 0 ({state.group.place})"
    return f"waiting for {ranks(state.group.awaited)}"


def absent(state: State, group: Leading) -> tuple[int, ...]:
    """The ranks that rank 0 waits for, or misses."""
    return group.awaited if isinstance(state.engine, Awaiting) else group.missing
