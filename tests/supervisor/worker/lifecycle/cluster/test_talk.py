"""What nodes say of their states."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.worker.lifecycle import (
    Awaiting,
    BackingOff,
    Doing,
    DrainingJobs,
    DrainingProcesses,
    ExitCode,
    Finished,
    Following,
    History,
    Killed,
    Leading,
    Leaving,
    Lost,
    NoEngine,
    NoProxy,
    Serving,
    Start,
    Starting,
    State,
    StillServing,
    StopAll,
    Wait,
)
from supervisor.worker.lifecycle.cluster import talk
from supervisor.worker.lifecycle.group import Node
from supervisor.worker.lifecycle.parts import End, Engine

NODE = Node("a", "10.0.0.3", 15.0, Doing.WAITING)
LEADING = Leading(2, generation=3, nodes={1: NODE})
FOLLOWING = Following(2, 1, generation=3, prepared=True)


@pytest.mark.parametrize(
    ("engine", "end", "order"),
    [
        (Awaiting(9.0), None, Wait(3)),
        (BackingOff(9.0), None, Wait(3)),
        (Killed(9.0), None, Wait(3)),
        (Starting(9.0), None, Start(3)),
        (Serving(1.0), None, Start(3)),
        (Leaving(9.0, sick=Serving(1.0)), None, Start(3)),
        (Leaving(9.0, ended=True), None, Wait(3)),
        (Leaving(9.0), DrainingProcesses(), Start(3)),
        (NoEngine(), Finished(ExitCode.OK), StopAll(0)),
        (NoEngine(), Finished(ExitCode.RESTARTS_USED_UP), StopAll(70, "it broke")),
    ],
)
def test_what_rank_0_says(engine: Engine, end: End | None, order: object) -> None:
    state = State(engine, NoProxy(), end, History(last_failure="it broke"), LEADING)
    assert talk.order(state, LEADING, 1, "a") == order


def test_who_is_not_known_waits_and_who_was_refused_ends() -> None:
    group = replace(LEADING, nodes={1: replace(NODE, refused="b")})
    state = State(Serving(1.0), NoProxy(), group=group)
    assert talk.order(state, group, 1, "c") == Wait(3)
    told = talk.order(state, group, 1, "b")
    assert isinstance(told, StopAll)
    assert (told.code, "NODE_RANK must differ" in told.cause) == (78, True)


@pytest.mark.parametrize(
    ("engine", "prepared", "doing"),
    [
        (Awaiting(9.0), False, Doing.PREPARING),
        (Awaiting(9.0), True, Doing.WAITING),
        (Starting(9.0), True, Doing.RUNNING),
        (Serving(1.0), True, Doing.RUNNING),
        (Killed(9.0), True, Doing.ENDING),
        (Leaving(9.0), True, Doing.ENDING),
    ],
)
def test_what_a_follower_says(engine: Engine, prepared: bool, doing: Doing) -> None:
    group = replace(FOLLOWING, prepared=prepared)
    said = talk.report(State(engine, NoProxy(), group=group), group, "a")
    assert (said.rank, said.run, said.doing, said.generation) == (1, "a", doing, 3)


def test_a_follower_that_gives_up_says_why_and_never_joins() -> None:
    history = History(last_failure="no room")
    over = State(NoEngine(), NoProxy(), Finished(ExitCode.UNEXPECTED), history, FOLLOWING)
    said = talk.report(over, FOLLOWING, "a")
    assert (said.doing, said.lost) == (Doing.ENDING, Lost("no room"))
    over = replace(over, end=Finished(ExitCode.OK))
    assert talk.report(over, FOLLOWING, "a").lost is None


@pytest.mark.parametrize(
    ("engine", "end", "serves"),
    [
        (Starting(9.0), None, False),
        (Serving(1.0), None, True),
        (Serving(1.0), StillServing(9.0), True),
        (Serving(1.0), DrainingJobs(9.0), True),
        (Serving(1.0), DrainingJobs(9.0, done=True), False),
        (Leaving(9.0), DrainingProcesses(), False),
    ],
)
def test_whether_a_follower_has_requests_of_its_own(
    engine: Engine, end: End | None, serves: bool
) -> None:
    state = State(engine, NoProxy(), end)
    assert talk.report(state, replace(FOLLOWING, headless=False), "a").serves is serves
    assert not talk.report(state, FOLLOWING, "a").serves


def test_whose_engine_is_gone() -> None:
    assert talk.lost_now(replace(NODE, generation=2), 3, None) is None, "it has not begun"
    running = replace(NODE, generation=3, doing=Doing.RUNNING)
    assert talk.lost_now(running, 3, None) is None
    assert talk.lost_now(replace(NODE, generation=3), 3, None) == Lost("its engine ended")
    assert talk.lost_now(replace(NODE, generation=3), 3, Lost("no room")) == Lost("no room")


def test_words_of_nodes() -> None:
    assert talk.claimed_twice(1, "10.0.0.3", "10.0.0.4") == (
        "rank 1 is claimed by 10.0.0.3 and by 10.0.0.4; NODE_RANK must differ"
    )
    assert "is claimed twice, by 10.0.0.3;" in talk.claimed_twice(1, "10.0.0.3", "10.0.0.3")
    assert talk.words(replace(NODE, doing=Doing.PREPARING)) == "downloads the model"


def test_what_a_node_without_an_engine_waits_for() -> None:
    group = replace(FOLLOWING, prepared=False, place="10.0.0.2:8002")
    waits = State(Awaiting(9.0), NoProxy(), group=group)
    assert talk.waits_for(waits) == "downloading the model"
    hindered = replace(waits, group=replace(group, hindered="no route"))
    said = "downloading the model, after a failure: no route"
    assert talk.waits_for(hindered) == said
    prepared = replace(waits, group=replace(group, hindered="no route", prepared=True))
    assert talk.waits_for(prepared) == "waiting for rank 0 (10.0.0.2:8002)"


def test_who_is_absent() -> None:
    preparing = replace(LEADING, nodes={1: replace(NODE, doing=Doing.PREPARING)})
    assert talk.absent(State(Awaiting(9.0), NoProxy(), group=preparing), preparing) == (1,)
    assert talk.absent(State(Serving(9.0), NoProxy(), group=preparing), preparing) == ()
