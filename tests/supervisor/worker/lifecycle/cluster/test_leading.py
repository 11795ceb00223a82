"""Rank 0 among others."""

from __future__ import annotations

from dataclasses import replace

from supervisor.diagnosis import kinds
from supervisor.worker import lifecycle
from supervisor.worker.lifecycle import (
    Action,
    Awaiting,
    BackingOff,
    Doing,
    DrainingJobs,
    Due,
    Event,
    Exited,
    Hindered,
    JobsDone,
    Killed,
    Leading,
    Lost,
    NoAnswer,
    Phase,
    Policy,
    Prepared,
    Ready,
    Reported,
    Serving,
    Starting,
    State,
    StillServing,
    Stop,
)
from tests.supervisor.worker.lifecycle import story
from tests.supervisor.worker.lifecycle.cluster.nodes import POLICY

JOINED = Reported(1, "a", "10.0.0.3", Doing.WAITING)
RUNS = replace(JOINED, doing=Doing.RUNNING, generation=1)
BEGUN = (Prepared(), JOINED, RUNS)
LOST = replace(JOINED, generation=1, lost=Lost("no room", "out-of-memory"))


def after(
    *events: Event, size: int = 2, policy: Policy = POLICY, proxy: bool = False
) -> tuple[State, list[Action]]:
    """Rank 0 after these events, one second apart, and the actions of the last one."""
    view = Leading(size, "10.0.0.2:8002")
    return story.after(*events, policy=policy, proxy=proxy, group=view)


def test_it_starts_once_all_are_there() -> None:
    assert after()[1] == []
    assert after(Prepared())[1] == []
    assert after(JOINED)[1] == []
    state, actions = after(Prepared(), JOINED)
    assert actions == [Action.SPAWN_ENGINE]
    assert isinstance(state.group, Leading)
    assert (state.group.generation, state.phase) == (1, Phase.STARTING)
    assert after(JOINED, Prepared())[1] == [Action.SPAWN_ENGINE]
    assert after(Prepared(), JOINED, size=3)[1] == []


def test_in_queue_mode_the_proxy_does_not_wait() -> None:
    assert after(proxy=True)[1] == [Action.SPAWN_PROXY]


def test_an_engine_that_ends_elsewhere_ends_ours_and_is_named() -> None:
    state, actions = after(*BEGUN, Ready(), LOST)
    assert actions == [Action.KILL_ENGINE]
    state, _ = after(*BEGUN, Ready(), LOST, Exited("killed", code=-9))
    assert isinstance(state.engine, BackingOff)
    assert state.history.last_failure == "rank 1 (10.0.0.3): no room"
    assert state.history.engine_ended_by == "out-of-memory"
    assert state.history.failures == 1
    state, actions = after(*BEGUN, Ready(), LOST, Exited("killed"), Due())
    assert actions == [Action.SPAWN_ENGINE], "it has said that it waits"
    assert state.history.restarts == 1


def test_a_cause_that_another_rank_tells_later_stands_beside_ours() -> None:
    ours = Exited("connection closed by peer", code=0)
    state, _ = after(*BEGUN, Ready(), ours, LOST)
    said = "connection closed by peer. Beside it: rank 1 (10.0.0.3): no room"
    assert state.history.last_failure == said
    other = replace(LOST, rank=2, run="b", address="10.0.0.4", lost=Lost("a process died"))
    joined = replace(JOINED, rank=2, run="b", address="10.0.0.4")
    both = (Prepared(), JOINED, joined, RUNS, LOST, other, other, Exited("killed"))
    state, _ = after(*both, size=3)
    assert state.history.last_failure == (
        "rank 1 (10.0.0.3): no room. Beside it: rank 2 (10.0.0.4): a process died"
    )
    told = replace(LOST, lost=None)
    state, _ = after(*BEGUN, Ready(), ours, told)
    assert state.history.last_failure == "connection closed by peer", "it ended as it was told to"


def test_what_cannot_work_elsewhere_is_not_tried_again() -> None:
    final = replace(LOST, lost=Lost("a bad flag", "configuration", final=True))
    state, _ = after(*BEGUN, final, Exited("killed"))
    assert (state.phase, state.exit_code) == (Phase.FAILED, 78)
    state, _ = after(*BEGUN, Ready(), final, Exited("killed"))
    assert state.phase is Phase.RESTARTING, "it has worked before"


def test_nothing_is_started_beside_what_cannot_be_killed_whatever_it_was_killed_for() -> None:
    wanting = replace(LOST, lost=Lost("no more processes", wanting=True))
    for lost in (LOST, wanting):
        stays = (*BEGUN, Ready(), lost, Exited("killed", left=True))
        state, actions = after(*stays)
        assert (state.exit_code, actions[-1:]) == (1, [Action.EXIT])
        assert "cannot be killed" in str(state.history.last_failure)


def test_a_silent_node_is_gone() -> None:
    state, actions = after(*BEGUN, Ready(), Due())
    assert actions == [Action.KILL_ENGINE]
    assert isinstance(state.engine, Killed)
    assert state.engine.why is not None
    said = "rank 1 (10.0.0.3): nothing was heard of it for 15 s"
    assert (state.engine.why.words, state.engine.why.kind) == (said, kinds.NODE_LOST)
    state, _ = after(Prepared(), JOINED, size=3)
    assert state.due == 2.0 + 15.0
    state, actions = after(Prepared(), JOINED, Due(), size=3)
    assert isinstance(state.group, Leading)
    assert (state.group.missing, actions) == ((1, 2), [])


def test_a_node_is_lost_where_no_engine_ended_first() -> None:
    by_follower = replace(LOST, lost=Lost("rank 0 said nothing for 15 s", kinds.NODE_LOST))
    assert after(*BEGUN, Due())[0].lost_a_node
    assert after(*BEGUN, by_follower)[0].lost_a_node
    ends = replace(RUNS, doing=Doing.ENDING)
    for other in (LOST, ends, NoAnswer("no token came"), Stop()):
        state, actions = after(*BEGUN, other)
        assert (actions, state.lost_a_node) == ([Action.KILL_ENGINE], False)
    assert not after(*BEGUN)[0].lost_a_node


def test_who_does_not_come_is_named() -> None:
    state, actions = after(Prepared(), Due(), size=4)
    assert (state.exit_code, actions) == (71, [Action.EXIT])
    assert state.history.last_failure == (
        "ranks 1, 2, 3 did not come within 100 s; see their logs and whether they reach"
        " 10.0.0.2:8002"
    )
    busy = replace(JOINED, doing=Doing.PREPARING)
    policy = replace(POLICY, startup_timeout=10.0)
    state, _ = after(busy, Due(), size=3, policy=policy)
    assert state.history.last_failure == (
        "rank 2 did not come within 10 s; see its log and whether it reaches 10.0.0.2:8002;"
        " rank 1 (10.0.0.3) downloads the model, and was not ready within 10 s;"
        " rank 0 still downloads the model after 10 s"
    )


def test_why_its_own_model_is_not_here_is_told() -> None:
    policy = replace(POLICY, startup_timeout=10.0)
    state, _ = after(Hindered("no route"), JOINED, Due(), policy=policy)
    said = "rank 0 still downloads the model after 10 s: no route"
    assert (state.exit_code, state.history.last_failure) == (71, said)


def test_who_cannot_be_one_of_the_nodes_ends_all_before_a_start_and_nobody_after_it() -> None:
    wrong = replace(JOINED, wrong="rank 1 (10.0.0.3) runs another vLLM")
    state, _ = after(Prepared(), wrong)
    assert (state.exit_code, state.history.last_failure) == (78, wrong.wrong)
    state, actions = after(*BEGUN, Ready(), replace(wrong, run="b"))
    assert (state.phase, actions) == (Phase.READY, [])


def test_who_is_none_of_the_nodes_ends_alone_once_they_have_served() -> None:
    gone: tuple[Event, ...] = (*BEGUN, Ready(), Exited("killed"), Due())
    others = replace(JOINED, run="b", wrong="it has another model")
    foreign = replace(others, wrong="it has NUM_NODES=3", foreign=True)
    for stray in (foreign, replace(foreign, rank=7), others):
        state, actions = after(*gone, stray)
        assert isinstance(state.engine, BackingOff | Awaiting), "rank 1 is there"
        assert (state.exit_code, actions) == (None, [])
    nobody: tuple[Event, ...] = (*BEGUN, Ready(), Due(), Exited("killed"))
    state, _ = after(*nobody)
    assert isinstance(state.group, Leading)
    assert state.group.missing == (1,)
    assert after(*nobody, foreign)[0].exit_code is None
    assert after(*nobody, others)[0].exit_code == 78, "it would take the rank that is awaited"
    assert after(*gone, replace(others, run="a"))[0].exit_code == 78, "it has the rank"
    assert after(Prepared(), foreign)[0].exit_code == 78, "none has served yet"


def test_a_rank_that_two_nodes_claim() -> None:
    other = replace(JOINED, run="b", address="10.0.0.4")
    state, actions = after(JOINED, other, JOINED, Prepared())
    assert (state.exit_code, actions) == (None, []), "one of them may have been the last word"
    state, _ = after(JOINED, other, JOINED, other)
    assert state.exit_code == 78
    assert state.history.last_failure == (
        "rank 1 is claimed by 10.0.0.3 and by 10.0.0.4; NODE_RANK must differ"
    )
    state, _ = after(*BEGUN, Ready(), other, RUNS, other)
    assert state.phase is Phase.READY
    assert isinstance(state.group, Leading)
    assert state.group.nodes[1].refused == "b"
    busy = replace(RUNS, doing=Doing.ENDING)
    state, _ = after(*BEGUN, Ready(), Exited("killed"), busy, other, busy, other)
    assert state.exit_code is None, "the nodes have served: the one that was with them stays"
    assert isinstance(state.group, Leading)
    assert (state.group.nodes[1].run, state.group.nodes[1].refused) == ("a", "b")
    state, _ = after(*BEGUN, Exited("killed"), busy, other, busy, other)
    assert state.exit_code == 78, "they have not"


def test_the_one_that_replaces_a_node_has_its_rank_when_that_is_gone() -> None:
    other = replace(JOINED, run="b", address="10.0.0.4")
    state, actions = after(Prepared(), JOINED, *[other] * 16, Due(), other, size=3)
    assert isinstance(state.group, Leading)
    assert state.group.nodes[1].run == "b"
    state, actions = after(Prepared(), JOINED, other, JOINED, *[JOINED] * 15, size=2)
    assert (actions, isinstance(state.engine, Starting)) == ([], True)
    state, _ = after(JOINED, other, *[JOINED] * 14, Due(), Prepared())
    assert isinstance(state.engine, Starting), "who claimed it once and was silent since is gone"


def test_an_engine_that_is_healthy_and_answers_nothing_failed_its_start() -> None:
    state, actions = after(*BEGUN, NoAnswer("no token came"))
    assert actions == [Action.KILL_ENGINE]
    state, _ = after(*BEGUN, NoAnswer("no token came"), Exited("killed"))
    assert state.history.last_failure == "no token came"
    state, _ = after(*BEGUN, NoAnswer("no token came"), Exited("its core died", told=True))
    assert state.history.last_failure == "its core died", "its own lines say more"


def test_a_stop_of_another_node_is_ours_once() -> None:
    stops = replace(RUNS, stops=True)
    state, actions = after(*BEGUN, Ready(), stops)
    assert (state.phase, actions) == (Phase.DRAINING, [Action.DRAIN_JOBS])
    again, actions = after(*BEGUN, Ready(), stops, stops)
    assert isinstance(again.end, DrainingJobs)
    assert not actions, "a second stop would skip what is waited for"
    state, actions = after(Prepared(), replace(JOINED, stops=True), size=3)
    assert (state.exit_code, actions) == (0, [Action.EXIT])


def test_a_stop_of_another_node_is_heard_whatever_else_it_says() -> None:
    lost = replace(LOST, stops=True)
    state, actions = after(*BEGUN, Ready(), Exited("closed", code=0), lost)
    assert (state.exit_code, actions) == (0, [Action.EXIT])
    assert "no room" in str(state.history.last_failure)
    state, actions = after(*BEGUN, Ready(), lost)
    assert (state.phase, Action.KILL_ENGINE in actions) == (Phase.DRAINING, True)
    state, _ = after(*BEGUN, Ready(), LOST, lost, Exited("killed"))
    assert state.exit_code == 0
    other = replace(JOINED, run="b", stops=True)
    state, actions = after(JOINED, other)
    assert (state.exit_code, actions) == (0, [Action.EXIT])
    state, _ = after(*BEGUN, Ready(), other)
    assert state.phase is Phase.READY, "it may be a second node with that rank"


def test_requests_cannot_be_finished_without_an_engine_that_is_lost_elsewhere() -> None:
    state, actions = after(*BEGUN, Ready(), Stop(), LOST)
    assert actions == [Action.KILL_ENGINE]
    assert isinstance(state.engine, Killed)
    state, _ = after(*BEGUN, Ready(), Stop(), Due())
    assert isinstance(state.engine, Killed), "a silent node is one"
    policy = replace(POLICY, drain_delay=5.0)
    state, _ = after(*BEGUN, Ready(), Stop(), policy=policy)
    assert isinstance(state.end, StillServing)
    state, actions = after(*BEGUN, Ready(), Stop(), LOST, policy=policy)
    assert (state.phase, Action.KILL_ENGINE in actions) == (Phase.DRAINING, True)
    state, _ = after(*BEGUN, Ready(), Stop(), JobsDone(), LOST)
    assert isinstance(state.engine, lifecycle.Leaving), "all of them end anyway"


def test_its_engine_stays_while_another_node_answers_requests() -> None:
    serves = replace(RUNS, serves=True)
    begun = (*BEGUN, Ready(), serves, Stop(), JobsDone())
    state, actions = after(*begun)
    assert (isinstance(state.engine, Serving), actions) == (True, [])
    state, actions = after(*begun, serves)
    assert actions == []
    state, actions = after(*begun, RUNS)
    assert actions == [Action.TERMINATE_ENGINE]
    state, actions = after(*begun, *[serves] * 55, Due())
    assert actions == [Action.TERMINATE_ENGINE], "a drain has its end"
    state, actions = after(*begun, replace(LOST, lost=None))
    assert actions == [Action.KILL_ENGINE], "nothing can be answered there any more"
    state, _ = after(*begun, Due(), Exited("killed"))
    assert state.exit_code == 0, "that one is silent"


def test_its_engine_stays_for_requests_elsewhere_also_while_it_starts() -> None:
    serves = replace(RUNS, serves=True)
    for stop in (Stop(), replace(serves, stops=True)):
        begun = (*BEGUN, serves, stop)
        state, actions = after(*begun)
        assert (state.phase, isinstance(state.engine, Starting), actions) == (
            Phase.DRAINING,
            True,
            [],
        )
        again, actions = after(*begun, Ready(), serves)
        assert (again.phase, actions) == (Phase.DRAINING, [])
        assert after(*begun, RUNS)[1] == [Action.KILL_ENGINE], "nobody has requests any more"
        assert after(*begun, Stop())[1] == [Action.KILL_ENGINE], "a second stop waits for nobody"
        over, _ = after(*begun, *[serves] * 61, Due(), Exited("killed"))
        assert over.exit_code == 0, "a drain has its end"
    state, actions = after(*BEGUN, Stop())
    assert actions == [Action.KILL_ENGINE]


def test_a_freeze_of_rank_0_makes_nobody_silent() -> None:
    state, _ = after(*BEGUN, Ready(), lifecycle.Thawed(60.0))
    assert isinstance(state.engine, Serving)
    assert state.due == 3.0 + 15.0 + 60.0


def test_restarts_are_used_up_here() -> None:
    policy = replace(POLICY, max_restarts=0)
    state, actions = after(*BEGUN, LOST, Exited("killed"), policy=policy)
    assert (state.exit_code, actions[-1]) == (70, Action.EXIT)


def test_a_back_off_ends_in_a_wait_for_the_others() -> None:
    ends = replace(RUNS, doing=Doing.ENDING)
    state, actions = after(*BEGUN, LOST, Exited("killed"), ends, Due())
    assert isinstance(state.engine, Awaiting)
    assert (actions, state.phase) == ([], Phase.RESTARTING)
