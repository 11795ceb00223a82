"""A follower: what it does when it hears rank 0, and when it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.worker.lifecycle import (
    Action,
    Awaiting,
    DrainingJobs,
    Due,
    Ended,
    Event,
    Exited,
    Following,
    Hindered,
    JobsDone,
    Killed,
    Leaving,
    Lost,
    Ordered,
    Parting,
    Phase,
    Policy,
    Prepared,
    Probed,
    Ready,
    Start,
    Starting,
    State,
    StillServing,
    Stop,
    StopAll,
    Unheard,
    Wait,
)
from tests.supervisor.worker.lifecycle import story
from tests.supervisor.worker.lifecycle.cluster.nodes import POLICY

HERE = (Prepared(), Ordered(Wait(0), "STARTING", (2,)))
GO = Ordered(Start(1), "STARTING")
SERVES = Ordered(Start(1), "READY")


def after(
    *events: Event, headless: bool = True, policy: Policy = POLICY
) -> tuple[State, list[Action]]:
    """Rank 1 after these events, one second apart, and the actions of the last one."""
    view = Following(3, 1, "10.0.0.2:8002", headless)
    return story.after(*events, policy=policy, group=view)


def view(state: State) -> Following:
    """Its view."""
    assert isinstance(state.group, Following)
    return state.group


def test_it_starts_when_rank_0_says_so_and_its_model_is_there() -> None:
    state, actions = after(*HERE)
    assert (state.phase, view(state).missing, actions) == (Phase.STARTING, (2,), [])
    state, actions = after(*HERE, GO)
    assert (actions, view(state).generation) == ([Action.SPAWN_ENGINE], 1)
    assert after(GO)[1] == []
    assert after(*HERE, GO, GO)[1] == [], "once"


def test_why_its_model_is_not_there_yet_is_known_and_starts_nothing() -> None:
    state, actions = after(Hindered("no route"), GO)
    assert (view(state).hindered, view(state).prepared, actions) == ("no route", False, [])
    assert after(Hindered("no route"), Prepared(), GO)[1] == [Action.SPAWN_ENGINE]


def test_it_is_ready_when_rank_0_is() -> None:
    state, actions = after(*HERE, GO, SERVES)
    assert (state.phase, actions) == (Phase.READY, [Action.COUNT_READY])
    state, _ = after(*HERE, GO, SERVES, replace(SERVES, phase="DRAINING"))
    assert state.phase is Phase.DRAINING
    state, _ = after(*HERE, GO, SERVES, replace(SERVES, phase="RESTARTING"))
    assert state.phase is Phase.RESTARTING, "its engine may be healthy again"
    state, _ = after(*HERE, GO, SERVES, replace(SERVES, phase="RESTARTING"), SERVES)
    assert state.phase is Phase.READY
    state, _ = after(*HERE, GO, Ordered(Start(1), "STARTING"))
    assert state.phase is Phase.STARTING


def test_its_own_word_that_it_is_ready_changes_nothing() -> None:
    """It follows from rank 0's, and may come when the next engine starts."""
    state, actions = after(*HERE, GO, Ready(3.0))
    assert (state.phase, actions) == (Phase.STARTING, [])
    before, _ = after(*HERE, GO, SERVES)
    state, actions = after(*HERE, GO, SERVES, Ready(3.0))
    assert (state, actions) == (before, [])


def test_one_that_serves_requests_itself_says_so_itself() -> None:
    state, _ = after(*HERE, GO, SERVES, headless=False)
    assert state.phase is Phase.STARTING
    state, _ = after(*HERE, GO, SERVES, Ready(), Probed(healthy=True), headless=False)
    assert state.phase is Phase.READY
    state, _ = after(*HERE, GO, Ready(), Ordered(Start(1), "DRAINING"), headless=False)
    assert isinstance(state.end, DrainingJobs), "it has requests of its own"
    state, _ = after(*HERE, GO, Due(), headless=False, policy=replace(POLICY, startup_timeout=5))
    assert isinstance(state.engine, Killed), "and a deadline"


def test_its_engine_ends_when_rank_0_says_so() -> None:
    state, actions = after(*HERE, GO, Ordered(Wait(1)))
    assert actions == [Action.KILL_ENGINE]
    state, _ = after(*HERE, GO, Ordered(Wait(1)), Exited("killed", code=-9))
    assert isinstance(state.engine, Awaiting)
    assert (state.history.last_failure, view(state).lost) == ("rank 0 ended generation 1", None)
    dying = Exited("a process died", "process-lost", code=-9, told=True)
    state, _ = after(*HERE, GO, Ordered(Wait(1)), dying)
    assert view(state).lost == Lost("a process died", "process-lost"), "perhaps before all others"
    state, actions = after(*HERE, GO, Ordered(Wait(0)))
    assert actions == [], "that was said before"
    state, actions = after(*HERE, GO, Ordered(Start(2)))
    assert actions == [Action.KILL_ENGINE], "a generation that all have joined but this one"
    state, actions = after(*HERE, GO, Ordered(Start(2)), Exited("killed", code=-9))
    assert actions == [Action.SPAWN_ENGINE]


def test_an_engine_that_ends_by_itself_is_told_of_and_started_when_rank_0_says_so() -> None:
    state, actions = after(*HERE, GO, SERVES, Ended(), Exited("no room", "memory", code=0))
    assert (isinstance(state.engine, Awaiting), actions) == (True, [])
    assert (view(state).lost, state.phase) == (Lost("no room", "memory"), Phase.RESTARTING)
    state, actions = after(*HERE, GO, Exited("no room"), SERVES)
    assert actions == [], "not that generation"
    state, actions = after(*HERE, GO, Exited("no room"), Ordered(Start(2)))
    assert (actions, view(state).lost) == ([Action.SPAWN_ENGINE], None)
    assert state.history.restarts == 1


def test_want_is_told_as_such_and_counts_for_nothing() -> None:
    want = Exited("no more processes", wanting=True)
    state, _ = after(*HERE, GO, want, Ordered(Wait(1)), Ordered(Start(2)), want)
    assert view(state).lost == Lost("no more processes", wanting=True)
    assert (state.history.failures, state.history.restarts) == (0, 0)
    state, actions = after(*HERE, GO, Ordered(Wait(1)), want)
    assert actions == []
    assert view(state).lost is None, "rank 0 had ended it before"


def test_what_is_over_is_known_without_having_been_there() -> None:
    state, _ = after(Prepared(), Ordered(Wait(5)))
    assert view(state).generation == 5
    assert after(Prepared(), Ordered(Wait(5)), Ordered(Start(5)))[1] == []


def test_without_a_word_of_rank_0_its_engine_ends() -> None:
    state, _ = after(*HERE, GO, SERVES)
    assert state.due == 4.0 + 15.0
    state, actions = after(*HERE, GO, SERVES, Unheard("no route"), Due())
    assert actions == [Action.KILL_ENGINE]
    state, _ = after(*HERE, GO, SERVES, Unheard("no route"), Due(), Exited("killed"))
    said = "rank 0 (10.0.0.2:8002) said nothing for 15 s: no route"
    assert state.history.last_failure == said
    assert view(state).lost == Lost(said, "node-lost")


def test_without_rank_0_it_waits_as_long_as_a_start_may_take() -> None:
    state, actions = after(Prepared(), Unheard("cannot connect"), Due())
    assert (state.exit_code, actions) == (71, [Action.EXIT])
    assert state.history.last_failure == (
        "rank 0 (10.0.0.2:8002) did not answer for 100 s: cannot connect"
    )
    assert after(*HERE)[0].due == 2.0 + 100.0, "each word is a new beginning"


@pytest.mark.parametrize("code", [70, 71, 78])
def test_it_ends_with_the_code_of_rank_0(code: int) -> None:
    for events in (HERE, (*HERE, GO), (*HERE, GO, SERVES, Stop())):
        state, actions = after(*events, Ordered(StopAll(code, "it broke")))
        assert (state.exit_code, actions[-1]) == (code, Action.EXIT)
        assert state.history.last_failure == "it broke"
    state, _ = after(*HERE, Ordered(StopAll(5, "")))
    assert (state.exit_code, state.history.last_failure) == (1, "rank 0 has given up")


def test_after_a_drain_of_rank_0_it_ends_with_0() -> None:
    over = Ordered(StopAll(0))
    assert after(*HERE, over)[0].exit_code == 0
    state, actions = after(*HERE, GO, SERVES, over)
    assert (isinstance(state.engine, Leaving), actions) == (True, [Action.TERMINATE_ENGINE])
    assert after(*HERE, GO, SERVES, over, Exited("ended", code=0))[0].exit_code == 0
    assert after(*HERE, GO, SERVES, over, Due())[1] == [Action.KILL_ENGINE]
    assert after(*HERE, GO, over)[1] == [Action.KILL_ENGINE]
    state, _ = after(*HERE, GO, Ready(), over, headless=False)
    assert isinstance(state.end, DrainingJobs)
    state, _ = after(*HERE, GO, Ready(), over, over, JobsDone(), headless=False)
    assert isinstance(state.engine, Leaving)


def test_asked_to_stop_it_lets_rank_0_drain() -> None:
    state, actions = after(*HERE, GO, SERVES, Stop())
    assert (isinstance(state.end, Parting), actions, view(state).stops) == (True, [], True)
    assert state.phase is Phase.DRAINING
    state, actions = after(*HERE, GO, SERVES, Stop(), Ordered(StopAll(0)))
    assert actions == [Action.TERMINATE_ENGINE]
    state, actions = after(*HERE, GO, SERVES, Stop(), Stop())
    assert actions == [Action.TERMINATE_ENGINE], "who asks twice does not want to wait"
    speaks = (replace(SERVES, phase="DRAINING"),) * 80
    state, actions = after(*HERE, GO, SERVES, Stop(), *speaks, Due())
    assert actions == [Action.TERMINATE_ENGINE], "a drain has its end"
    state, actions = after(*HERE, GO, SERVES, Stop(), Due())
    assert actions == [Action.KILL_ENGINE], "rank 0 is gone"
    state, _ = after(*HERE, GO, SERVES, Stop(), Due(), Exited("killed"), Due())
    assert state.exit_code == 0


def test_why_its_engine_ended_while_it_stops_is_known_here_and_at_rank_0() -> None:
    begun = (*HERE, GO, SERVES, Stop())
    state, actions = after(*begun, Exited("no room", "memory", code=-9))
    assert (isinstance(state.end, Parting), actions) == (True, [])
    assert (state.history.last_failure, view(state).lost) == ("no room", Lost("no room", "memory"))
    state, _ = after(*begun, Ordered(Wait(1)), Exited("killed", code=-9))
    assert (state.history.last_failure, view(state).lost) == ("rank 0 ended generation 1", None)


def test_one_that_has_no_more_requests_of_its_own_stays_for_those_of_rank_0() -> None:
    drains = replace(SERVES, phase="DRAINING")
    all_asked: list[list[Event]] = [[drains], [Stop()], [Stop(), drains]]
    for asked in all_asked:
        begun = (*HERE, GO, SERVES, Ready(), *asked, JobsDone())
        state, actions = after(*begun, headless=False)
        assert (state.phase, actions) == (Phase.DRAINING, [])
        state, actions = after(*begun, drains, Ordered(StopAll(0)), headless=False)
        assert actions == [Action.TERMINATE_ENGINE]
        state, actions = after(*begun, Ordered(Wait(1), "DRAINING"), headless=False)
        assert actions == [Action.TERMINATE_ENGINE], "rank 0 has no engine any more"
        state, actions = after(*begun, Due(), headless=False)
        assert actions == [Action.KILL_ENGINE], "rank 0 is gone"
        state, actions = after(*begun, *[drains] * 80, Due(), headless=False)
        assert actions == [Action.TERMINATE_ENGINE], "a drain has its end"
    state, actions = after(*HERE, GO, Ready(), Stop(), Due(), JobsDone(), headless=False)
    assert actions == [], "its engine was killed"


def test_one_that_says_for_long_that_it_stops_hears_rank_0_meanwhile() -> None:
    policy = replace(POLICY, drain_delay=20.0)
    drains = replace(SERVES, phase="DRAINING")
    begun: list[Event] = [*HERE, GO, SERVES, Ready(), *[drains] * 20]
    state, actions = after(*begun, Due(), headless=False, policy=policy)
    assert (isinstance(state.end, DrainingJobs), actions) == (True, [Action.DRAIN_JOBS])
    state, actions = after(*begun, Due(), drains, headless=False, policy=policy)
    assert actions == []
    assert state.due is not None
    assert state.due > 30.0, "it is not silent"


def test_one_that_still_starts_keeps_its_engine_while_rank_0_drains() -> None:
    drains = Ordered(Start(1), "DRAINING")
    rest: list[list[Event]] = [[drains], [Stop(), drains], [Stop(), Ready()]]
    for events in [(*HERE, GO, *each) for each in rest]:
        state, actions = after(*events, headless=False)
        assert (isinstance(state.engine, Starting), actions) == (True, [])
        state, actions = after(*events, Ordered(StopAll(0)), headless=False)
        assert actions == [Action.KILL_ENGINE]
    state, actions = after(*HERE, GO, drains, Ready(), headless=False)
    assert actions == [Action.DRAIN_JOBS], "it may have requests of its own from now on"


@pytest.mark.parametrize("end", [DrainingJobs, StillServing])
def test_what_rank_0_ends_with_counts_while_its_own_requests_drain(end: type) -> None:
    policy = replace(POLICY, drain_delay=20.0 if end is StillServing else 0.0)
    begun = (*HERE, GO, SERVES, Ready(), Stop())
    state, _ = after(*begun, headless=False, policy=policy)
    assert isinstance(state.end, end)
    state, actions = after(*begun, Ordered(StopAll(70, "it broke")), headless=False, policy=policy)
    assert (state.exit_code, actions[-1]) == (70, Action.EXIT)
    state, actions = after(*begun, Ordered(StopAll(0)), headless=False, policy=policy)
    assert (isinstance(state.end, end), actions) == (True, []), "it answers them"


def test_asked_to_stop_before_rank_0_was_heard_it_ends() -> None:
    assert after(Stop())[0].exit_code == 0
    state, _ = after(*HERE, Stop())
    assert isinstance(state.end, Parting), "rank 0 has to know"
    assert after(*HERE, Stop(), GO)[1] == [], "nothing is started any more"
    assert after(*HERE, Stop(), Due())[0].exit_code == 0


def test_what_cannot_be_killed_ends_the_worker() -> None:
    left = Exited("killed", left=True)
    for events in ((*HERE, GO, left), (*HERE, GO, SERVES, Stop(), left)):
        state, _ = after(*events)
        assert state.exit_code == 1
        assert "cannot be killed" in str(state.history.last_failure)
    state, _ = after(*HERE, GO, Ordered(Wait(1)), Due())
    assert state.exit_code == 1


def test_in_the_end_it_hears_nothing_more() -> None:
    state, _ = after(*HERE, Ordered(StopAll(70, "it broke")), GO, Prepared())
    assert (state.exit_code, state.history.last_failure) == (70, "it broke")
    assert isinstance(after(*HERE, GO)[0].engine, Starting)


def test_rank_0_says_by_who_is_missing_that_a_node_is_lost_and_no_engine_ended() -> None:
    silent = after(*HERE, GO, Due(), headless=False)[0]
    assert isinstance(silent.engine, Killed)
    assert silent.lost_a_node
    for missing in ((), (2,)):
        over = Ordered(Wait(1), "RESTARTING", missing)
        state, actions = after(*HERE, GO, over, headless=False)
        assert (actions, state.lost_a_node) == ([Action.KILL_ENGINE], bool(missing))
