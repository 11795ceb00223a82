"""What the log says of nodes: who is awaited, who is lost, and what rank 0 said."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from supervisor.worker import announce, lifecycle
from supervisor.worker.lifecycle import (
    Doing,
    Due,
    Event,
    Exited,
    Following,
    Group,
    Leading,
    Lost,
    NoAnswer,
    Ordered,
    Prepared,
    Ready,
    Reported,
    Start,
    StopAll,
    Unheard,
    Wait,
)
from tests.supervisor.worker.lifecycle.cluster.nodes import POLICY
from tests.supervisor.worker.lifecycle.story import steps

LEADS = Leading(3, "10.0.0.2:8002")
FOLLOWS = Following(3, 1, "10.0.0.2:8002")
ONE = Reported(1, "a", "10.0.0.3", Doing.PREPARING)
TWO = Reported(2, "b", "10.0.0.4", Doing.WAITING)
JOINED = replace(ONE, doing=Doing.WAITING)
LOST = replace(JOINED, generation=1, lost=Lost("no room"))


def log(group: Group, *events: Event) -> list[str]:
    """The lines about all these events, one second apart."""
    state, _ = lifecycle.begin(POLICY, 0.0, proxy=False, group=group)
    return [
        line
        for before, event, after, _, now in steps(state, events, POLICY)
        for _, line in announce.lines(before, event, after, POLICY, now)
    ]


def test_who_comes_and_who_is_lost() -> None:
    assert log(LEADS, Prepared(), ONE, JOINED, TWO, Ready(), LOST, Exited("killed", code=-9)) == [
        "waiting for ranks 1, 2 of 3 nodes",
        "rank 1 (10.0.0.3) is here, and downloads the model",
        "rank 1 (10.0.0.3) is ready",
        "rank 2 (10.0.0.4) is here, and ready",
        "all 3 nodes are ready: starting generation 1",
        "ready after 0.0 s",
        "rank 1 (10.0.0.3) is ready",
        "restarting the engine: rank 1 (10.0.0.3): no room",
        "restarting the engine in 1.0 s (failure 1 of at most 3, exit code -9)",
    ]


def test_want_at_another_node_is_no_failure() -> None:
    want = replace(LOST, lost=Lost("no more processes", wanting=True))
    assert log(LEADS, Prepared(), JOINED, TWO, want, Exited("killed", code=-9))[-2:] == [
        "restarting the engine: rank 1 (10.0.0.3): no more processes",
        "restarting the engine in 5.0 s (no failure of its own, exit code -9)",
    ]


def test_a_cause_that_comes_later() -> None:
    said = log(LEADS, Prepared(), JOINED, TWO, Exited("connection lost", code=0), LOST)
    assert said[-1] == "connection lost. Beside it: rank 1 (10.0.0.3): no room"


def test_who_cannot_be_one_of_the_nodes() -> None:
    wrong = replace(JOINED, wrong="rank 1 (10.0.0.3) runs another vLLM")
    assert log(LEADS, wrong) == ["giving up with exit code 78: rank 1 (10.0.0.3) runs another vLLM"]
    assert log(LEADS, Prepared(), JOINED, TWO, wrong)[-1] == (
        "a node was sent away: rank 1 (10.0.0.3) runs another vLLM"
    )
    other = replace(JOINED, run="c", address="10.0.0.5")
    assert log(LEADS, JOINED, other)[-1] == (
        "10.0.0.5 claims to be rank 1, as 10.0.0.3 does: waiting for one of them to be gone"
    )
    runs = replace(JOINED, generation=1, doing=Doing.RUNNING)
    assert log(LEADS, Prepared(), JOINED, TWO, other, runs, other)[-1] == (
        "rank 1 (10.0.0.3): another node claims that rank, and was sent away; NODE_RANK must differ"
    )


def test_who_is_not_heard_any_more_while_others_are_awaited() -> None:
    assert log(LEADS, Prepared(), JOINED, Due())[-1] == "rank 1 is not heard any more"


def test_a_stop_of_another_node() -> None:
    said = log(LEADS, Prepared(), JOINED, TWO, Ready(), replace(JOINED, stops=True))
    assert said[-2:] == [
        "rank 1 (10.0.0.3) was asked to stop, which is for all nodes",
        "stopping: jobs in hand have 60 s",
    ]


def test_what_a_follower_says() -> None:
    go = Ordered(Start(1), "STARTING")
    assert log(
        FOLLOWS,
        Unheard("cannot connect"),
        Unheard("cannot connect"),
        Prepared(),
        Ordered(Wait(0)),
        go,
        Ordered(Start(1), "READY"),
        Ordered(Wait(1)),
        Exited("killed", code=-9),
        Ordered(Start(2)),
        Exited("no room", code=0),
        Ordered(StopAll(70, "it broke")),
    ) == [
        "rank 0 (10.0.0.2:8002) does not answer: cannot connect; asking again",
        "rank 0 (10.0.0.2:8002) answers",
        "rank 0 starts generation 1",
        "ready: rank 0 answers requests",
        "ending the engine: rank 0 ended generation 1",
        "the engine has ended; waiting for rank 0",
        "rank 0 starts generation 2",
        "the engine ended, exit code 0: no room; waiting for rank 0",
        "giving up with exit code 70: it broke",
    ]


def test_what_a_follower_says_of_a_stop() -> None:
    go = (Prepared(), Ordered(Wait(0)), Ordered(Start(1), "STARTING"))
    assert log(FOLLOWS, *go, lifecycle.Stop())[-1] == (
        "stopping: rank 0 drains, and then all nodes stop"
    )
    serves = (*go, Ordered(Start(1), "READY"))
    assert log(FOLLOWS, *serves, Ordered(Start(1), "DRAINING"))[-1] == (
        "rank 0 drains, and then all nodes stop"
    )


def test_what_a_follower_that_stops_says_of_its_engine() -> None:
    go = (Prepared(), Ordered(Wait(0)), Ordered(Start(1), "STARTING"), Ordered(Start(1), "READY"))
    assert log(FOLLOWS, *go, lifecycle.Stop(), Exited("no room", code=-9))[-1] == (
        "the engine ended, exit code -9: no room; telling rank 0, then stopping"
    )
    assert log(FOLLOWS, *go, lifecycle.Stop(), Ordered(Wait(1)), Exited("killed", code=-9))[-1] == (
        "the engine has ended; telling rank 0, then stopping"
    )


@given(
    events=st.lists(
        st.sampled_from(
            [
                *(Prepared(), ONE, TWO, JOINED, LOST, Ready(), Exited("it broke"), Due()),
                *(Ordered(Wait(1)), Ordered(Start(2)), Ordered(StopAll(70)), Unheard("no route")),
                *(NoAnswer("no token"), lifecycle.Stop()),
            ]
        ),
        max_size=25,
    ),
    leads=st.booleans(),
)
def test_each_line_is_a_sentence(events: list[Event], leads: bool) -> None:
    for line in log(LEADS if leads else FOLLOWS, *events):
        assert line
        assert line == line.strip()
        assert "None" not in line
