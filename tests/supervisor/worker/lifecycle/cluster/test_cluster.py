"""Nodes that serve one model, whatever comes late, twice, in another order, or never."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.worker.lifecycle import Exited, Phase, Policy, Stop
from tests.supervisor.worker.lifecycle.cluster.nodes import POLICY, Nodes

SIZE = 3
RANK = st.integers(0, SIZE - 1)
NUMBER = st.integers(0, 30)
Happening = Callable[[Nodes], None]


def _one(name: str, *given_: object, **named: object) -> Happening:
    return lambda nodes: getattr(nodes, name)(*given_, **named)


BALANCED = st.frozensets(st.integers(1, SIZE - 1))
WITHOUT_STOP = st.one_of(
    st.builds(lambda rank: _one("prepare", rank), RANK),
    st.builds(lambda rank: _one("ask", rank), RANK),
    st.builds(lambda number: _one("deliver", number), NUMBER),
    st.builds(lambda number: _one("deliver", number, keep=True), NUMBER),
    st.builds(lambda number: _one("lose", number), NUMBER),
    st.builds(lambda rank: _one("end_engine", rank), RANK),
    st.builds(lambda rank: _one("replace", rank), RANK),
    st.builds(lambda seconds: _one("wait", seconds), st.sampled_from([0.5, 4.0, 16.0])),
    st.builds(lambda rank: _one("ready", rank), RANK),
    st.builds(lambda rank: _one("jobs_done", rank), RANK),
    st.just(_one("turn")),
)
STOP = st.builds(lambda rank: _one("give", rank, Stop()), RANK)


def _all_prepared(nodes: Nodes) -> None:
    for rank in range(nodes.size):
        nodes.prepare(rank)


@given(
    happenings=st.lists(st.one_of(WITHOUT_STOP, WITHOUT_STOP, STOP), max_size=60),
    balanced=BALANCED,
)
@pytest.mark.filterwarnings("default")
def test_no_start_before_all_joined_never_two_generations_and_every_path_ends(
    happenings: list[Happening], balanced: frozenset[int]
) -> None:
    """`Nodes` checks each step; cut off from each other in the end, all nodes end."""
    nodes = Nodes(SIZE, balanced=balanced)
    _all_prepared(nodes)
    for happens in happenings:
        happens(nodes)
    nodes.network.clear()
    for _ in range(40):
        for rank, node in nodes.nodes.items():
            if node.doomed:
                nodes.end_engine(rank)
        nodes.wait(100.0)
    assert [node.ended for node in nodes.nodes.values()] == [True] * SIZE


@given(happenings=st.lists(WITHOUT_STOP, max_size=60), balanced=BALANCED)
@pytest.mark.filterwarnings("default")
def test_nodes_that_can_speak_again_serve_again_or_end_together(
    happenings: list[Happening], balanced: frozenset[int]
) -> None:
    nodes = Nodes(SIZE, balanced=balanced)
    for happens in happenings:
        happens(nodes)
    _all_prepared(nodes)
    for _ in range(200):
        nodes.turn()
        nodes.ready()
        if set(nodes.phases) == {"READY"} or nodes.all_ended:
            break
    if nodes.phases != ["READY"] * SIZE:
        codes = {node.state.exit_code for node in nodes.nodes.values()}
        assert len(codes) == 1, f"they end apart: {codes}"
        assert None not in codes, f"they never meet: {nodes.nodes}"


@given(
    happenings=st.lists(WITHOUT_STOP, max_size=60),
    prepared=st.sets(RANK),
    gone=st.sampled_from([None, 1, 2]),
    turns=st.integers(1, 20),
    rank=RANK,
    balanced=BALANCED,
    meanwhile=st.lists(st.sampled_from(["ready", "end_engine"]), max_size=5),
)
@pytest.mark.filterwarnings("default")
def test_asked_to_stop_at_any_rank_all_end_with_0(
    happenings: list[Happening],
    prepared: set[int],
    gone: int | None,
    turns: int,
    rank: int,
    balanced: frozenset[int],
    meanwhile: list[str],
) -> None:
    """Whatever happened before, and who is gone: those that live hear each other."""
    nodes = Nodes(SIZE, balanced=balanced)
    for happens in happenings:
        happens(nodes)
    for each in prepared:
        nodes.prepare(each)
    if gone is not None:
        nodes.leave(gone)
    for _ in range(turns):
        nodes.turn()
    living = [node for each, node in nodes.nodes.items() if each != gone]
    if rank == gone or any(node.state.exit_code is not None for node in living):
        return
    nodes.give(rank, Stop())
    for each_of in meanwhile:
        nodes.ready() if each_of == "ready" else nodes.end_engine(rank)
    for _ in range(85):
        nodes.turn()
    assert [node.state.exit_code for node in living] == [0] * len(living)


def test_want_at_one_node_is_no_failure_of_any() -> None:
    """Nodes try again after the same pause, for as long as a start may take, and end with 71."""
    nodes = Nodes(SIZE)
    _all_prepared(nodes)
    spawned = 0
    while not nodes.all_ended:
        nodes.turn()
        if nodes.nodes[1].engine is not None:
            spawned += 1
            nodes.nodes[1].engine = None
            nodes.give(1, Exited("no more processes", wanting=True))
        assert nodes.now < 10 * POLICY.startup_timeout
        history = nodes.nodes[0].state.history
        assert (history.failures, history.restarts) == (0, 0)
        assert not nodes.nodes[1].state.history.failures
    assert spawned == POLICY.startup_timeout / POLICY.wanting_pause
    assert [node.state.exit_code for node in nodes.nodes.values()] == [71] * SIZE
    assert "no more processes; so it was for" in (nodes.nodes[0].state.history.last_failure or "")


def test_a_stop_is_heard_beside_the_word_of_a_lost_engine() -> None:
    nodes = Nodes(SIZE)
    _all_prepared(nodes)
    nodes.turn()
    nodes.turn()
    nodes.end_engine(1)
    nodes.leave(2)
    for _ in range(5):
        nodes.turn()
    nodes.give(1, Stop())
    for _ in range(30):
        nodes.turn()
    assert [nodes.nodes[rank].state.exit_code for rank in (0, 1)] == [0, 0]


def test_a_stop_is_heard_of_the_one_that_replaces_a_node() -> None:
    nodes = Nodes(SIZE)
    _all_prepared(nodes)
    nodes.turn()
    nodes.turn()
    nodes.replace(2)
    nodes.turn()
    nodes.give(2, Stop())
    for _ in range(30):
        nodes.turn()
    assert [node.state.exit_code for node in nodes.nodes.values()] == [0] * SIZE


@given(
    balanced=BALANCED,
    policy=st.sampled_from([POLICY, replace(POLICY, drain_delay=20.0)]),
    rank=RANK,
    others=st.sets(RANK),
    finished=st.permutations(range(SIZE)),
    turns=st.lists(st.integers(0, 12), min_size=SIZE, max_size=SIZE),
)
@pytest.mark.filterwarnings("default")
def test_no_engine_ends_before_the_requests_of_all_nodes_are_answered(
    balanced: frozenset[int],
    policy: Policy,
    rank: int,
    others: set[int],
    finished: list[int],
    turns: list[int],
) -> None:
    nodes = Nodes(SIZE, policy, balanced=balanced, busy={0, *balanced} - others)
    _all_prepared(nodes)
    for _ in range(3):
        nodes.turn()
        nodes.ready()
    assert nodes.phases == ["READY"] * SIZE
    nodes.give(rank, Stop())
    for each, number in zip(finished, turns, strict=True):
        for _ in range(number):
            nodes.turn()
            if nodes.busy:
                assert not any(node.doomed or node.ended for node in nodes.nodes.values())
        nodes.jobs_done(each)
    for _ in range(30):
        nodes.turn()
    assert [node.state.exit_code for node in nodes.nodes.values()] == [0] * SIZE


def test_nodes_that_have_nothing_to_wait_for_serve_at_once() -> None:
    nodes = Nodes(8)
    _all_prepared(nodes)
    nodes.turn()
    nodes.turn()
    nodes.ready()
    nodes.turn()
    assert nodes.phases == [str(Phase.READY)] * 8
    assert nodes.leader.generation == 1
