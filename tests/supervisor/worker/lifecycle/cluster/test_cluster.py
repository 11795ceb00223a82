"""Nodes that serve one model, whatever comes late, twice, in another order, or never."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.worker.lifecycle import Phase, Stop
from tests.supervisor.worker.lifecycle.cluster.nodes import Nodes

SIZE = 3
RANK = st.integers(0, SIZE - 1)
NUMBER = st.integers(0, 30)
Happening = Callable[[Nodes], None]


def _one(name: str, *given_: object, **named: object) -> Happening:
    return lambda nodes: getattr(nodes, name)(*given_, **named)


WITHOUT_STOP = st.one_of(
    st.builds(lambda rank: _one("prepare", rank), RANK),
    st.builds(lambda rank: _one("ask", rank), RANK),
    st.builds(lambda number: _one("deliver", number), NUMBER),
    st.builds(lambda number: _one("deliver", number, keep=True), NUMBER),
    st.builds(lambda number: _one("lose", number), NUMBER),
    st.builds(lambda rank: _one("end_engine", rank), RANK),
    st.builds(lambda rank: _one("replace", rank), RANK),
    st.builds(lambda seconds: _one("wait", seconds), st.sampled_from([0.5, 4.0, 16.0])),
    st.just(_one("ready")),
    st.just(_one("turn")),
)
STOP = st.builds(lambda rank: _one("give", rank, Stop()), RANK)


def _all_prepared(nodes: Nodes) -> None:
    for rank in range(nodes.size):
        nodes.prepare(rank)


@given(happenings=st.lists(st.one_of(WITHOUT_STOP, WITHOUT_STOP, STOP), max_size=60))
@pytest.mark.filterwarnings("default")
def test_no_start_before_all_joined_never_two_generations_and_every_path_ends(
    happenings: list[Happening],
) -> None:
    """`Nodes` checks each step; cut off from each other in the end, all nodes end."""
    nodes = Nodes(SIZE)
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


@given(happenings=st.lists(WITHOUT_STOP, max_size=60))
@pytest.mark.filterwarnings("default")
def test_nodes_that_can_speak_again_serve_again_or_end_together(
    happenings: list[Happening],
) -> None:
    nodes = Nodes(SIZE)
    for happens in happenings:
        happens(nodes)
    _all_prepared(nodes)
    for _ in range(200):
        nodes.turn()
        nodes.ready()
        if set(nodes.phases) == {"READY"} or all(node.ended for node in nodes.nodes.values()):
            break
    if nodes.phases != ["READY"] * SIZE:
        codes = {node.state.exit_code for node in nodes.nodes.values()}
        assert len(codes) == 1, f"they end apart: {codes}"
        assert None not in codes, f"they never meet: {nodes.nodes}"


def test_nodes_that_have_nothing_to_wait_for_serve_at_once() -> None:
    nodes = Nodes(8)
    _all_prepared(nodes)
    nodes.turn()
    nodes.turn()
    nodes.ready()
    nodes.turn()
    assert nodes.phases == [str(Phase.READY)] * 8
    assert nodes.leader.generation == 1
