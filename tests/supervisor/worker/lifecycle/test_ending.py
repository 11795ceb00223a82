"""Stop and drain."""

from __future__ import annotations

from dataclasses import replace

from supervisor.worker.lifecycle import (
    Action,
    Due,
    Exited,
    JobsDone,
    Phase,
    Probed,
    ProxyExited,
    ProxyRunning,
    Ready,
    StillServing,
    Stop,
)
from tests.supervisor.worker.lifecycle.story import (
    CRASH,
    KILLED,
    LEFT,
    POLICY,
    WITH_JOBS,
    after,
)


def test_stop_in_plain_mode_waits_for_requests_then_ends_the_engine() -> None:
    assert after(Ready(), Stop())[1] == [Action.DRAIN_JOBS]
    assert after(Ready(), Stop(), JobsDone())[1] == [Action.TERMINATE_ENGINE]
    state, actions = after(Ready(), Stop(), JobsDone(), Exited("ended"))
    assert (state.phase, state.exit_code, actions) == (Phase.STOPPED, 0, [Action.EXIT])


def test_an_engine_that_drains_itself_is_told_at_once() -> None:
    policy = replace(POLICY, engine_drains_itself=True)
    state, actions = after(Ready(), Stop(), policy=policy)
    assert actions == [Action.TERMINATE_ENGINE]
    assert state.due == 2.0 + 60 + 10


def test_stop_in_queue_mode_ends_the_proxy_first() -> None:
    assert after(Ready(), Stop(), proxy=True)[1] == [Action.DRAIN_JOBS]
    assert after(Ready(), Stop(), ProxyExited(0), proxy=True)[1] == [Action.TERMINATE_ENGINE]


def test_jobs_that_take_too_long_end_with_an_error() -> None:
    assert after(Ready(), Stop(), Due(), proxy=True)[1] == [Action.ABORT_JOBS]
    assert after(Ready(), Stop(), Due(), Due(), proxy=True)[1] == [Action.KILL_PROXY]
    assert after(Ready(), Stop(), Due())[1] == [Action.TERMINATE_ENGINE]
    assert after(Ready(), Stop(), JobsDone(), Due())[1] == [Action.KILL_ENGINE]


def test_an_engine_that_is_lost_in_a_drain_leaves_the_proxy_time_to_say_so() -> None:
    state, actions = after(Ready(), Stop(), CRASH, proxy=True)
    assert (state.phase, actions) == (Phase.DRAINING, [])
    assert state.due == 3.0 + 10.0
    assert after(Ready(), Stop(), CRASH, ProxyExited(0), proxy=True)[1] == [Action.EXIT]


def test_what_cannot_be_killed_does_not_hold_the_worker_for_ever() -> None:
    state, actions = after(Ready(), Stop(), JobsDone(), Due(), Due())
    assert (state.phase, state.exit_code, actions) == (Phase.FAILED, 1, [Action.EXIT])
    state, _ = after(Due(), Due())
    assert (state.phase, state.history.last_failure) == (
        Phase.FAILED,
        "the engine's processes cannot be killed",
    )


def test_stop_during_the_start_waits_for_nothing() -> None:
    assert after(Stop())[1] == [Action.KILL_ENGINE]
    assert after(CRASH, Stop())[1] == [Action.EXIT]


def test_a_second_stop_skips_the_waiting() -> None:
    actions = after(Ready(), Stop(), Stop(), proxy=True)[1]
    assert actions == [Action.ABORT_JOBS, Action.KILL_ENGINE]
    actions = after(Ready(), Stop(), Stop(), Stop(), proxy=True)[1]
    assert actions == [Action.KILL_PROXY, Action.KILL_ENGINE]
    assert after(Ready(), Stop(), Stop())[1] == [Action.KILL_ENGINE]


def test_jobs_that_a_dead_proxy_had_are_answered_before_the_worker_ends() -> None:
    state, actions = after(Ready(), WITH_JOBS, Stop(), proxy=True)
    assert actions == [Action.SPAWN_PROXY, Action.DRAIN_JOBS]
    assert (state.proxy, state.due) == (ProxyRunning(3.0), 3.0 + 60)
    assert after(Ready(), ProxyExited(-9), Stop(), proxy=True)[1] == [Action.DRAIN_JOBS]
    actions = after(CRASH, WITH_JOBS, Stop(), proxy=True)[1]
    assert actions == [Action.SPAWN_PROXY, Action.DRAIN_JOBS]
    # Also where it dies while the worker stops, and where the worker gives up.
    actions = after(Ready(), Stop(), WITH_JOBS, proxy=True)[1]
    assert actions == [Action.SPAWN_PROXY, Action.DRAIN_JOBS]
    state, actions = after(Ready(), WITH_JOBS, LEFT, proxy=True)
    assert (state.phase, actions) == (Phase.FAILED, [Action.SPAWN_PROXY])
    assert state.proxy == ProxyRunning(3.0)
    assert state.due == 3.0 + 10.0
    assert after(Ready(), WITH_JOBS, LEFT, ProxyExited(0), proxy=True)[1] == [Action.EXIT]


def test_a_proxy_that_dies_of_its_jobs_does_not_hold_an_end_for_ever() -> None:
    stopped = (Ready(), Stop(), WITH_JOBS, WITH_JOBS)
    for policy in (POLICY, replace(POLICY, max_restarts=0)):
        last = after(*stopped, proxy=True, policy=policy)[1]
        assert last == [Action.SPAWN_PROXY, Action.DRAIN_JOBS]
    assert after(*stopped, WITH_JOBS, proxy=True)[1] == [Action.TERMINATE_ENGINE]
    failed = (Ready(), LEFT, WITH_JOBS, WITH_JOBS)
    assert after(*failed, proxy=True)[1] == [Action.SPAWN_PROXY]
    assert after(*failed, WITH_JOBS, proxy=True)[1] == [Action.TELL_PLATFORM, Action.EXIT]


def test_a_killed_engine_has_its_time_also_in_a_stop() -> None:
    state, actions = after(Stop(), ProxyExited(-15), proxy=True)
    assert (state.phase, actions, state.due) == (Phase.DRAINING, [], 1.0 + 60.0)
    assert after(Stop(), ProxyExited(-15), KILLED, proxy=True)[0].exit_code == 0
    state, actions = after(Ready(), Stop(), ProxyExited(0), LEFT, proxy=True)
    assert (state.phase, state.exit_code, actions) == (Phase.FAILED, 1, [Action.EXIT])


def test_a_proxy_that_cannot_be_killed_holds_neither_the_engine_nor_the_end() -> None:
    """The engine is told to end all the same, and the worker ends with an error."""
    cut = (Ready(), Stop(), Due(), Due())
    assert after(*cut, proxy=True)[1] == [Action.KILL_PROXY]
    assert after(*cut, Due(), proxy=True)[1] == [Action.TERMINATE_ENGINE]
    state, actions = after(*cut, Due(), KILLED, proxy=True)
    assert (state.phase, state.exit_code, actions) == (Phase.FAILED, 1, [Action.EXIT])
    assert state.history.last_failure == "a process was killed and did not end"


DELAYED = replace(POLICY, drain_delay=15.0)


def test_a_balancer_has_time_to_look_before_the_engine_is_told() -> None:
    state, actions = after(Ready(), Stop(), policy=DELAYED)
    assert (state.phase, state.end, actions) == (Phase.DRAINING, StillServing(2.0 + 15.0), [])
    for event in (Due(), Stop()):
        state, actions = after(Ready(), Stop(), event, policy=DELAYED)
        assert (state.phase, actions) == (Phase.DRAINING, [Action.DRAIN_JOBS])
    assert after(Ready(), Stop(), Stop(), Stop(), policy=DELAYED)[1] == [Action.KILL_ENGINE]
    itself = replace(DELAYED, engine_drains_itself=True)
    assert after(Ready(), Stop(), Due(), policy=itself)[1] == [Action.TERMINATE_ENGINE]
    assert after(Ready(), Stop(), Probed(healthy=False), policy=itself)[1] == []


def test_nothing_is_waited_for_where_nothing_serves() -> None:
    assert after(Stop(), policy=DELAYED)[1] == [Action.KILL_ENGINE]
    assert after(Ready(), CRASH, Stop(), policy=DELAYED)[1] == [Action.EXIT]


def test_an_engine_or_a_proxy_that_is_lost_ends_the_delay() -> None:
    assert after(Ready(), Stop(), CRASH, policy=DELAYED)[1] == [Action.EXIT]
    assert after(Ready(), Stop(), LEFT, policy=DELAYED)[0].exit_code == 1
    stopped = (Ready(), Stop())
    assert after(*stopped, CRASH, proxy=True, policy=DELAYED)[1] == [Action.DRAIN_JOBS]
    assert after(*stopped, ProxyExited(-9), proxy=True, policy=DELAYED)[1] == [Action.DRAIN_JOBS]
    actions = after(*stopped, WITH_JOBS, proxy=True, policy=DELAYED)[1]
    assert actions == [Action.SPAWN_PROXY, Action.DRAIN_JOBS]
