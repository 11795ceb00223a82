"""The views that nodes have of each other."""

from __future__ import annotations

from dataclasses import replace

from supervisor.worker.lifecycle import Doing, Following, Leading
from supervisor.worker.lifecycle.group import Node, Rival, ranks

ONE = Node("a", "10.0.0.3", 15.0, Doing.WAITING)


def test_who_has_joined() -> None:
    group = Leading(4, nodes={1: ONE, 2: replace(ONE, doing=Doing.PREPARING)})
    assert (group.missing, group.awaited) == ((3,), (2, 3))
    assert not replace(group, size=2).complete, "its own model is not there"
    assert replace(group, size=2, prepared=True).complete


def test_who_may_still_start_an_engine_of_before_has_not_joined() -> None:
    group = Leading(3, generation=4, nodes={1: ONE, 2: replace(ONE, generation=7)})
    assert group.over == 7, "a number that any node has seen is not used again"
    assert group.awaited == (1,)


def test_a_rank_that_two_claim_has_not_joined() -> None:
    claimed = replace(ONE, rival=Rival("b", "10.0.0.4", 20.0))
    group = Leading(2, nodes={1: claimed})
    assert (group.awaited, group.due) == ((1,), 15.0)
    assert group.without_old_rivals(19.0).awaited == (1,)
    assert group.without_old_rivals(20.0).awaited == ()


def test_a_freeze_makes_everybody_heard_later() -> None:
    claimed = replace(ONE, rival=Rival("b", "10.0.0.4", 20.0))
    later = Leading(2, nodes={1: claimed}).later(30.0)
    assert later.nodes[1].until == 45.0
    assert later.nodes[1].rival == Rival("b", "10.0.0.4", 50.0)
    assert Following(2, 1, until=15.0).later(30.0).due == 45.0
    assert Following(2, 1).later(30.0).due is None
    assert Leading(2).due is None


def test_ranks_in_words() -> None:
    assert (ranks((1,)), ranks((2, 3))) == ("rank 1", "ranks 2, 3")
