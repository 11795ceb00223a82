"""Each state and event, and no sequence of events that ends badly."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor import lifecycle
from supervisor.lifecycle import (
    Action,
    Due,
    Event,
    ExitCode,
    Exited,
    JobsDone,
    Phase,
    Policy,
    Probed,
    ProxyExited,
    Ready,
    State,
    Stop,
)

POLICY = Policy(startup_timeout=100, drain_timeout=60, max_restarts=2)
CRASH = Exited(1, "it broke")
WRONG = Exited(2, "a bad flag", final=True)


def after(
    *events: Event, proxy: bool = False, policy: Policy = POLICY
) -> tuple[State, list[Action]]:
    """The state after these events, one second apart, and the actions of the last one."""
    state, actions = lifecycle.begin(policy, 0.0, proxy=proxy)
    for number, event in enumerate(events, start=1):
        if isinstance(event, Due):
            now = state.deadline if state.deadline is not None else float(number)
        else:
            now = max(float(number), state.since)
        state, actions = lifecycle.step(state, event, policy, now)
    return state, list(actions)


def test_begins_with_the_engine_and_in_queue_mode_the_proxy() -> None:
    assert after() == (State(deadline=100.0, engine=True), [Action.SPAWN_ENGINE])
    assert after(proxy=True)[1] == [Action.SPAWN_ENGINE, Action.SPAWN_PROXY]


def test_ready() -> None:
    state, actions = after(Ready())
    assert (state.phase, state.deadline, actions) == (Phase.READY, None, [])


def test_a_crash_is_followed_by_a_start_after_the_back_off() -> None:
    state, actions = after(Ready(), CRASH)
    assert (state.phase, state.engine, actions) == (Phase.RESTARTING, False, [])
    assert state.last_failure == "it broke"
    state, actions = after(Ready(), CRASH, Due())
    assert (state.phase, state.engine, actions) == (Phase.RESTARTING, True, [Action.SPAWN_ENGINE])
    assert after(Ready(), CRASH, Due(), Ready())[0].phase is Phase.READY


def test_a_configuration_error_at_the_first_start_is_not_tried_again() -> None:
    state, actions = after(WRONG)
    assert (state.phase, state.exit_code) == (Phase.FAILED, ExitCode.CONFIGURATION)
    assert actions == [Action.EXIT]


@pytest.mark.parametrize("code", [126, 127])
def test_a_command_that_cannot_be_spawned_ends_with_its_code(code: int) -> None:
    assert after(Exited(code, "no such file", final=True))[0].exit_code == code


def test_nothing_is_started_beside_what_cannot_be_killed() -> None:
    state, actions = after(Ready(), Exited(-9, "killed", left=True))
    assert (state.phase, state.exit_code, actions) == (Phase.FAILED, 1, [Action.EXIT])


def test_the_same_words_later_are_a_crash() -> None:
    assert after(Ready(), WRONG)[0].phase is Phase.RESTARTING


def test_gives_up_after_the_last_restart() -> None:
    state, _ = after(CRASH, Due(), CRASH, Due(), CRASH)
    assert (state.phase, state.exit_code) == (Phase.FAILED, ExitCode.RESTARTS_USED_UP)
    assert state.restarts == 2


def test_a_start_that_takes_too_long_is_killed() -> None:
    state, actions = after(Due())
    assert actions == [Action.KILL_ENGINE]
    killed = after(Due(), Exited(-9, "killed"))[0]
    assert killed.last_failure == "the engine was not ready after 100 s"
    none_left = replace(POLICY, max_restarts=0)
    failed = after(Due(), Exited(-9, "killed"), policy=none_left)[0]
    assert failed.exit_code == ExitCode.NOT_READY_IN_TIME
    assert state.engine


def test_three_failed_probes_in_a_row_are_a_hang() -> None:
    bad, good = Probed(healthy=False), Probed(healthy=True)
    assert after(Ready(), bad, bad, good, bad, bad)[0].phase is Phase.READY
    state, actions = after(Ready(), bad, bad, bad)
    assert (state.phase, actions) == (Phase.RESTARTING, [Action.KILL_ENGINE])


def test_ten_healthy_minutes_forgive() -> None:
    state, _ = after(CRASH, Due(), Ready())
    assert state.failures == 1
    late = state.since + 601
    assert lifecycle.step(state, CRASH, POLICY, late)[0].failures == 1
    assert lifecycle.step(state, Probed(healthy=True), POLICY, late)[0].failures == 0


def test_back_off_doubles_to_its_most() -> None:
    waits = [lifecycle.backoff(failures, Policy(), 0.0) for failures in range(8)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert lifecycle.backoff(3, Policy(), 1.0) == 4


def test_stop_in_plain_mode_waits_for_requests_then_ends_the_engine() -> None:
    assert after(Ready(), Stop())[1] == [Action.DRAIN_JOBS]
    assert after(Ready(), Stop(), JobsDone())[1] == [Action.TERMINATE_ENGINE]
    state, actions = after(Ready(), Stop(), JobsDone(), Exited(0, "ended"))
    assert (state.phase, state.exit_code, actions) == (Phase.STOPPED, 0, [Action.EXIT])


def test_an_engine_that_drains_itself_is_told_at_once() -> None:
    policy = replace(POLICY, engine_drains_itself=True)
    state, actions = after(Ready(), Stop(), policy=policy)
    assert actions == [Action.TERMINATE_ENGINE]
    assert state.deadline == 2.0 + 60 + 10


def test_stop_in_queue_mode_ends_the_proxy_first() -> None:
    assert after(Ready(), Stop(), proxy=True)[1] == [Action.DRAIN_JOBS]
    assert after(Ready(), Stop(), ProxyExited(0), proxy=True)[1] == [Action.TERMINATE_ENGINE]


def test_jobs_that_take_too_long_are_cut() -> None:
    assert after(Ready(), Stop(), Due(), proxy=True)[1] == [Action.KILL_PROXY]
    assert after(Ready(), Stop(), JobsDone(), Due())[1] == [Action.KILL_ENGINE]


def test_stop_during_the_start_waits_for_nothing() -> None:
    assert after(Stop())[1] == [Action.KILL_ENGINE]
    assert after(CRASH, Stop())[1] == [Action.EXIT]


def test_a_second_stop_skips_the_waiting() -> None:
    actions = after(Ready(), Stop(), Stop(), proxy=True)[1]
    assert actions == [Action.KILL_PROXY, Action.KILL_ENGINE]


@pytest.mark.parametrize("code", [1, 78])
def test_a_proxy_that_cannot_work_ends_the_worker_with_its_code(code: int) -> None:
    state, actions = after(Ready(), ProxyExited(code), proxy=True)
    assert (state.phase, state.exit_code, actions) == (Phase.FAILED, code, [Action.EXIT])


def test_a_proxy_that_was_killed_is_started_again() -> None:
    state, actions = after(Ready(), ProxyExited(-9), proxy=True)
    assert (state.phase, actions) == (Phase.READY, [Action.SPAWN_PROXY])


def test_nothing_happens_after_the_end() -> None:
    ended = after(Stop(), Exited(-9, "killed"))[0]
    assert ended.phase is Phase.STOPPED
    for event in (Ready(), CRASH, Stop(), Due(), JobsDone(), ProxyExited(0), Probed(healthy=True)):
        assert lifecycle.step(ended, event, POLICY, 99.0) == (ended, ())


EVENTS = st.sampled_from(
    [
        Ready(), CRASH, WRONG, Stop(), Due(), JobsDone(), ProxyExited(0),
        Probed(healthy=True), Probed(healthy=False),
    ]
)  # fmt: skip


class World:
    """Processes as the actions would leave them; delivers only events that can happen."""

    def __init__(self, *, proxy: bool) -> None:
        self.now = 0.0
        self.engines = self.stops = 0
        self.state, actions = lifecycle.begin(POLICY, 0.0, proxy=proxy)
        self.act(actions)

    def act(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            if action is Action.SPAWN_ENGINE:
                self.engines += 1
                assert self.stops == 0, "an engine was started after the stop"
        assert self.engines <= 1, "two engines at once"

    def deliver(self, event: Event) -> None:
        possible = {
            Ready: self.engines == 1,
            Exited: self.engines == 1,
            Probed: self.engines == 1,
            ProxyExited: self.state.proxy,
        }
        if not possible.get(type(event), True):
            return
        self.now += 1.0
        if isinstance(event, Due) and self.state.deadline is not None:
            self.now = max(self.now, self.state.deadline)
        if isinstance(event, Exited):
            self.engines -= 1
        if isinstance(event, Stop):
            self.stops += 1
        self.state, actions = lifecycle.step(self.state, event, POLICY, self.now)
        self.act(actions)
        if self.state.phase is Phase.READY:
            assert self.engines == 1, "ready without an engine"
        assert self.state.engine == (self.engines == 1)


@given(events=st.lists(EVENTS, max_size=40), proxy=st.booleans())
@pytest.mark.filterwarnings("default")
def test_no_sequence_of_events_reaches_a_bad_state(events: list[Event], proxy: bool) -> None:
    """Never two engines, never READY without one, no start after a stop, and a stop always ends."""
    world = World(proxy=proxy)
    for event in events:
        world.deliver(event)
    for _ in range(4):  # what a stop leads to, when every process does what it is told
        for last in (Stop(), Exited(-9, "killed"), ProxyExited(0), Due()):
            world.deliver(last)
    assert world.state.phase in {Phase.STOPPED, Phase.FAILED}
    assert world.state.exit_code is not None
