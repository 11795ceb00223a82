"""What the log says of the nodes that serve one model together. Pure."""

from __future__ import annotations

import logging

from .lifecycle import (
    Awaiting,
    Event,
    Exited,
    Following,
    Killed,
    Leading,
    Ordered,
    Parting,
    Phase,
    Prepared,
    Reported,
    Serving,
    Starting,
    State,
)
from .lifecycle.cluster import talk
from .lifecycle.group import Node, ranks

Line = tuple[int, str]


def lines(before: State, event: Event, after: State) -> list[Line]:
    """The lines about the step from `before` to `after`, each with its level."""
    match before.group, after.group:
        case Leading() as was, Leading() as group:
            return _of_leader(before, was, event, after, group)
        case Following() as was, Following() as group:
            return [*_of_channel(was, group), *_of_follower(before, event, after, group)]
    return []


def _of_leader(
    before: State, was: Leading, event: Event, after: State, group: Leading
) -> list[Line]:
    found = [*_nodes(event, was, group, after)]
    begins = isinstance(after.engine, Awaiting) and not isinstance(before.engine, Awaiting)
    if (isinstance(event, Prepared) or begins) and (awaited := group.awaited):
        found.append((logging.INFO, f"waiting for {ranks(awaited)} of {group.size} nodes"))
    if group.generation > was.generation:
        all_of_them = f"all {group.size} nodes are ready: starting generation {group.generation}"
        found.append((logging.INFO, all_of_them))
    if isinstance(event, Reported) and event.stops and after.phase is not before.phase:
        who = f"rank {event.rank} ({event.address})"
        found.append((logging.INFO, f"{who} was asked to stop, which is for all nodes"))
    cause = after.history.last_failure
    later = isinstance(event, Reported) and after.phase is not Phase.FAILED
    if later and cause != before.history.last_failure:
        found.append((logging.WARNING, str(cause)))
    return found


def _nodes(event: Event, was: Leading, group: Leading, after: State) -> list[Line]:
    found: list[Line] = []
    for rank, node in group.nodes.items():
        known = was.nodes.get(rank)
        who = f"rank {rank} ({node.address})"
        if known is None or known.run != node.run:
            found.append((logging.INFO, f"{who} is here, and {_how(node)}"))
        elif rank in was.awaited and rank not in group.awaited:
            found.append((logging.INFO, f"{who} is ready"))
        if node.rival is not None and (known is None or known.rival is None):
            claims = f"{node.rival.address} claims to be rank {rank}, as {node.address} does"
            found.append((logging.WARNING, f"{claims}: waiting for one of them to be gone"))
        if node.refused and known is not None and node.refused != known.refused:
            twice = "another node claims that rank, and was sent away; NODE_RANK must differ"
            found.append((logging.ERROR, f"{who}: {twice}"))
    if isinstance(event, Reported) and event.wrong and after.phase is not Phase.FAILED:
        found.append((logging.ERROR, f"a node was sent away: {event.wrong}"))
    gone = was.nodes.keys() - group.nodes.keys()
    if isinstance(after.engine, Awaiting):
        found += [(logging.WARNING, f"rank {rank} is not heard any more") for rank in sorted(gone)]
    return found


def _how(node: Node) -> str:
    return "ready" if talk.words(node) == "joins" else talk.words(node)


def _of_channel(was: Following, group: Following) -> list[Line]:
    if group.unheard and not was.unheard:
        silent = f"rank 0 ({group.place}) does not answer: {group.unheard}; asking again"
        return [(logging.WARNING, silent)]
    if group.until is not None and (was.until is None or was.unheard) and not group.unheard:
        return [(logging.INFO, f"rank 0 ({group.place}) answers")]
    return []


def _of_follower(before: State, event: Event, after: State, group: Following) -> list[Line]:
    match before.engine, after.engine:
        case was, Starting() if not isinstance(was, Starting):
            return [(logging.INFO, f"rank 0 starts generation {group.generation}")]
        case Starting(), Serving() if isinstance(event, Ordered):
            return [(logging.INFO, "ready: rank 0 answers requests")]
        case was, Killed(why=why) if not isinstance(was, Killed) and why is not None:
            return [(logging.WARNING, f"ending the engine: {why.words}")]
        case was, Awaiting() if isinstance(event, Exited) and not isinstance(was, Awaiting):
            ours = was.why.words if isinstance(was, Killed) and was.why is not None else None
            cause = after.history.last_failure
            stops = isinstance(after.end, Parting)
            rest = "telling rank 0, then stopping" if stops else "waiting for rank 0"
            if cause == ours:
                return [(logging.INFO, f"the engine has ended; {rest}")]
            code = "" if event.code is None else f", exit code {event.code}"
            return [(logging.WARNING, f"the engine ended{code}: {cause}; {rest}")]
    return []
