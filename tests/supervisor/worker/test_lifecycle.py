"""Each state and event, and no sequence of events that ends badly."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.worker import lifecycle
from supervisor.worker.lifecycle import (
    Action,
    BackingOff,
    Due,
    Ended,
    Event,
    ExitCode,
    Exited,
    JobsDone,
    Killed,
    NoProxy,
    Phase,
    Policy,
    Probed,
    ProxyExited,
    ProxyKilled,
    ProxyRunning,
    ProxyWaiting,
    Ready,
    Serving,
    Stalled,
    Starting,
    State,
    Stop,
)
from supervisor.worker.lifecycle.state import Process

POLICY = Policy(startup_timeout=100, drain_timeout=60, max_restarts=2)
CRASH = Exited("it broke")
WRONG = Exited("a bad flag", final=True)
KILLED = Exited("killed")


def after(
    *events: Event, proxy: bool = False, policy: Policy = POLICY
) -> tuple[State, list[Action]]:
    """The state after these events, one second apart, and the actions of the last one."""
    now = 0.0
    state, actions = lifecycle.begin(policy, now, proxy=proxy)
    for number, event in enumerate(events, start=1):
        now = max(now, float(number))
        if isinstance(event, Due) and state.due is not None:
            now = max(now, state.due)
        state, actions = lifecycle.step(state, event, policy, now)
    return state, list(actions)


def test_begins_with_the_engine_and_in_queue_mode_the_proxy() -> None:
    assert after() == (State(engine=Starting(100.0)), [Action.SPAWN_ENGINE])
    assert after(proxy=True)[1] == [Action.SPAWN_ENGINE, Action.SPAWN_PROXY]


def test_ready() -> None:
    state, actions = after(Ready())
    assert (state.phase, state.due, actions) == (Phase.READY, None, [])


def test_a_crash_is_followed_by_a_start_after_the_back_off() -> None:
    state, actions = after(Ready(), CRASH)
    assert (state.phase, state.engine, actions) == (Phase.RESTARTING, BackingOff(3.0), [])
    assert state.history.last_failure == "it broke"
    state, actions = after(Ready(), CRASH, Due())
    assert (state.phase, actions) == (Phase.RESTARTING, [Action.SPAWN_ENGINE])
    assert isinstance(state.engine, Starting)
    assert after(Ready(), CRASH, Due(), Ready())[0].phase is Phase.READY


def test_a_configuration_error_at_the_first_start_is_not_tried_again() -> None:
    state, actions = after(WRONG)
    assert (state.phase, state.exit_code) == (Phase.FAILED, ExitCode.CONFIGURATION)
    assert actions == [Action.EXIT]


@pytest.mark.parametrize(
    ("kind", "code"), [("command-not-executable", 126), ("command-not-found", 127)]
)
def test_a_command_that_cannot_be_spawned_ends_with_its_code(kind: str, code: int) -> None:
    missing = Exited("no such file", kind, final=True)
    assert after(missing)[0].exit_code == code


def test_nothing_is_started_beside_what_cannot_be_killed() -> None:
    state, actions = after(Ready(), Exited("killed", left=True))
    assert (state.phase, state.exit_code, actions) == (Phase.FAILED, 1, [Action.EXIT])


def test_the_same_words_later_are_a_crash() -> None:
    assert after(Ready(), WRONG)[0].phase is Phase.RESTARTING


def test_gives_up_after_the_last_restart() -> None:
    state, _ = after(CRASH, Due(), CRASH, Due(), CRASH)
    assert (state.phase, state.exit_code) == (Phase.FAILED, ExitCode.RESTARTS_USED_UP)
    assert state.history.restarts == 2


def test_a_start_that_takes_too_long_is_killed() -> None:
    state, actions = after(Due())
    assert actions == [Action.KILL_ENGINE]
    killed = after(Due(), KILLED)[0]
    assert killed.history.last_failure == "the engine was not ready after 100 s"
    none_left = replace(POLICY, max_restarts=0)
    failed = after(Due(), KILLED, policy=none_left)[0]
    assert failed.exit_code == ExitCode.NOT_READY_IN_TIME
    assert isinstance(state.engine, Killed)


def test_three_failed_probes_in_a_row_are_a_hang() -> None:
    bad, good = Probed(healthy=False), Probed(healthy=True)
    assert after(Ready(), bad, bad, good, bad, bad)[0].phase is Phase.READY
    state, actions = after(Ready(), bad, bad, bad)
    assert (state.phase, actions) == (Phase.RESTARTING, [Action.KILL_ENGINE])


def test_ten_healthy_minutes_forgive() -> None:
    state, _ = after(CRASH, Due(), Ready())
    assert state.history.failures == 1
    assert isinstance(state.engine, Serving)
    late = state.engine.since + 601
    assert lifecycle.step(state, CRASH, POLICY, late)[0].history.failures == 1
    assert lifecycle.step(state, Probed(healthy=True), POLICY, late)[0].history.failures == 0
    leaving = lifecycle.step(state, Ended(), POLICY, late)[0]
    assert lifecycle.step(leaving, CRASH, POLICY, late + 1)[0].history.failures == 1


def test_back_off_doubles_to_its_most() -> None:
    waits = [lifecycle.backoff(failures, Policy(), 0.0) for failures in range(8)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert lifecycle.backoff(3, Policy(), 1.0) == 4


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


@pytest.mark.parametrize("code", [1, 78])
def test_a_proxy_that_cannot_work_ends_the_worker_with_its_code(code: int) -> None:
    state, actions = after(Ready(), ProxyExited(code, "no GPU"), proxy=True)
    assert (state.phase, state.exit_code, actions) == (Phase.FAILED, code, [Action.EXIT])
    assert state.history.last_failure == "no GPU"


def test_a_fault_of_the_proxys_costs_no_engine() -> None:
    """Python ends with 1 as well, as the SDK's checks do; but those say why."""
    state, actions = after(Ready(), ProxyExited(1), proxy=True)
    assert (state.phase, actions) == (Phase.READY, [])
    assert after(Ready(), ProxyExited(1), Due(), proxy=True)[1] == [Action.SPAWN_PROXY]


WITH_JOBS = ProxyExited(-9, jobs=2)


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
    assert after(*failed, WITH_JOBS, proxy=True)[1] == [Action.EXIT]


def test_a_worker_that_gives_up_ends_its_jobs_with_an_error_before_the_proxy() -> None:
    for event in (Stop(), Due()):
        state, actions = after(Ready(), LEFT, event, proxy=True)
        assert (state.phase, actions, state.due) == (
            Phase.FAILED,
            [Action.ABORT_JOBS],
            (2.0 + (10.0 if event == Due() else 1.0)) + 5.0,
        )


def test_an_engine_that_had_ended_by_itself_has_its_own_cause() -> None:
    """Its group took long to go, so that we thought something else meanwhile."""
    dead = Probed(healthy=False, dead=True)
    for before in ((Ready(), Ended()), (Ready(), dead, Ended()), (Ended(),)):
        assert after(*before, Due(), CRASH)[0].history.last_failure == "it broke"
    assert "did not end" in str(after(Ready(), dead, Due(), CRASH)[0].history.last_failure)
    out_of_memory = replace(CRASH, out_of_memory=True)
    assert after(Ready(), dead, Due(), out_of_memory)[0].history.last_failure == "it broke"
    assert "was not ready" in str(after(Due(), Ended(), CRASH)[0].history.last_failure)


def test_a_killed_engine_has_its_time_also_in_a_stop() -> None:
    state, actions = after(Stop(), ProxyExited(-15), proxy=True)
    assert (state.phase, actions, state.due) == (Phase.DRAINING, [], 1.0 + 60.0)
    assert after(Stop(), ProxyExited(-15), KILLED, proxy=True)[0].exit_code == 0
    state, actions = after(Ready(), Stop(), ProxyExited(0), LEFT, proxy=True)
    assert (state.phase, state.exit_code, actions) == (Phase.FAILED, 1, [Action.EXIT])


def test_a_configuration_error_is_final_until_some_engine_was_ready() -> None:
    state, _ = after(CRASH, Due(), WRONG)
    assert (state.phase, state.exit_code) == (Phase.FAILED, ExitCode.CONFIGURATION)
    assert after(CRASH, Due(), Ready(), WRONG)[0].phase is Phase.RESTARTING


def test_a_proxy_that_was_killed_is_started_again() -> None:
    state, actions = after(Ready(), ProxyExited(-9), proxy=True)
    assert (state.phase, state.proxy, actions) == (Phase.READY, ProxyWaiting(2.0 + 1.0), [])
    assert state.due == 2.0 + 1.0
    state, actions = after(Ready(), ProxyExited(-9), Due(), proxy=True)
    assert (state.phase, actions) == (Phase.READY, [Action.SPAWN_PROXY])
    assert state.proxy == ProxyRunning(3.0)


def test_a_proxy_that_dies_again_and_again_is_given_up() -> None:
    dies = (ProxyExited(-9, "it says why"), Due())
    state, _ = after(Ready(), *dies, *dies, ProxyExited(-9, "it says why"), proxy=True)
    assert (state.phase, state.exit_code) == (Phase.FAILED, ExitCode.RESTARTS_USED_UP)
    assert state.history.last_failure == "it says why"


def test_a_worker_that_gives_up_waits_for_the_proxy_to_say_why() -> None:
    state, actions = after(WRONG, proxy=True)
    assert (state.phase, state.exit_code, actions) == (Phase.FAILED, ExitCode.CONFIGURATION, [])
    state, actions = after(WRONG, ProxyExited(1), proxy=True)
    assert (state.exit_code, actions) == (ExitCode.CONFIGURATION, [Action.EXIT])
    for event in (Due(), Stop()):
        assert after(WRONG, event, proxy=True)[1] == [Action.ABORT_JOBS]
        assert after(WRONG, event, event, proxy=True)[1] == [Action.KILL_PROXY, Action.EXIT]


def test_an_engine_that_says_it_is_dead_is_not_ready_and_may_end_by_itself() -> None:
    for dead in (Probed(healthy=False, dead=True), Ended()):
        state, actions = after(Ready(), dead)
        assert (state.phase, actions) == (Phase.RESTARTING, [])
        assert after(Ready(), dead, Ready())[0].phase is Phase.RESTARTING
        state, actions = after(Ready(), dead, CRASH)
        assert (state.history.last_failure, actions) == ("it broke", [])
        assert after(Ready(), dead, Due())[1] == [Action.KILL_ENGINE]


def test_an_engine_that_stalls_is_killed() -> None:
    state, actions = after(Ready(), Stalled(300.0))
    assert (state.phase, actions) == (Phase.RESTARTING, [Action.KILL_ENGINE])
    assert isinstance(state.engine, Killed)
    assert "for 300 s" in str(state.engine.why)
    assert after(Stalled(300.0))[1] == []


def test_a_killed_start_says_what_it_was_doing() -> None:
    state, _ = after(Due(), Exited("killed", doing="loading the weights"))
    assert (
        state.history.last_failure
        == "the engine was not ready after 100 s, still loading the weights"
    )


def test_memory_that_runs_out_again_and_again_has_its_own_code() -> None:
    killed = Exited("memory", "out-of-memory")
    assert after(killed, Due(), killed, Due(), killed)[0].exit_code == 137
    assert after(killed, Due(), killed, Due(), CRASH)[0].exit_code == 70


def test_nothing_happens_after_the_end() -> None:
    ended = after(Stop(), KILLED)[0]
    assert ended.phase is Phase.STOPPED
    for event in (
        Ready(),
        CRASH,
        Stop(),
        Due(),
        JobsDone(),
        ProxyExited(0),
        Probed(healthy=True),
        Ended(),
    ):
        assert lifecycle.step(ended, event, POLICY, 99.0) == (ended, ())


DEAD = Probed(healthy=False, dead=True)
LEFT = Exited("killed", left=True)
EVENTS: list[Event] = [
    Ready(), CRASH, WRONG, LEFT, Stop(), Due(), JobsDone(), ProxyExited(0), ProxyExited(-9),
    ProxyExited(1, "unfit"), ProxyExited(-9, jobs=1), Ended(), Probed(healthy=True),
    Probed(healthy=False), DEAD, Stalled(300.0),
]  # fmt: skip

#: How each phase is reached, and to which others each event may lead from there.
REACHED: dict[Phase, tuple[Event, ...]] = {
    Phase.STARTING: (),
    Phase.READY: (Ready(),),
    Phase.RESTARTING: (Ready(), CRASH, Due()),
    Phase.DRAINING: (Ready(), Stop()),
    Phase.STOPPED: (Stop(), KILLED, ProxyExited(0)),
    Phase.FAILED: (WRONG,),
}
LEADS_TO: dict[Phase, dict[type[Event], Phase]] = {
    Phase.STARTING: {
        Ready: Phase.READY, Exited: Phase.RESTARTING, Stop: Phase.DRAINING, Due: Phase.STARTING,
    },
    Phase.READY: {
        Ended: Phase.RESTARTING, Exited: Phase.RESTARTING, Stop: Phase.DRAINING,
        Stalled: Phase.RESTARTING,
    },
    Phase.RESTARTING: {Ready: Phase.READY, Stop: Phase.DRAINING},
    Phase.DRAINING: {},
    Phase.STOPPED: {},
    Phase.FAILED: {},
}  # fmt: skip


@pytest.mark.parametrize("proxy", [False, True])
@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, EVENTS)))
def test_every_state_has_an_answer_to_every_event(phase: Phase, event: Event, proxy: bool) -> None:
    """The table above, with the ends that one event alone can bring; all else changes no phase."""
    state, _ = after(*REACHED[phase], proxy=proxy)
    assert state.phase is phase
    then, actions = after(*REACHED[phase], event, proxy=proxy)
    expected = LEADS_TO[phase].get(type(event), phase)
    working = phase in {Phase.STARTING, Phase.READY, Phase.RESTARTING}
    fatal = working and (
        event == LEFT
        or (event == WRONG and phase is Phase.STARTING)
        or (proxy and event == ProxyExited(1, "unfit"))
    )
    if fatal or (phase is Phase.DRAINING and event == LEFT and not proxy):
        expected = Phase.FAILED
    elif phase is Phase.READY and event == DEAD:
        expected = Phase.RESTARTING
    elif phase is Phase.DRAINING and isinstance(event, Exited) and not proxy:
        expected = Phase.STOPPED
    assert then.phase is expected
    over = then.phase in {Phase.STOPPED, Phase.FAILED} and isinstance(then.proxy, NoProxy)
    if over and state.exit_code is None:
        assert actions[-1] is Action.EXIT
    if working and then.phase is not Phase.READY and not actions:
        assert then.due is not None, "nobody would ever wake it"


class World:
    """Processes as the actions would leave them; delivers only events that can happen."""

    def __init__(self, *, proxy: bool) -> None:
        self.now = 0.0
        self.engines = self.proxies = self.stops = self.proxies_at_the_end = 0
        self.over = self.jobs_left = self.aborted = False
        self.state, actions = lifecycle.begin(POLICY, 0.0, proxy=proxy)
        self.act(actions)

    def act(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            assert not self.over, "an action after the end"
            ends = self.stops > 0 or self.state.phase is Phase.FAILED
            if action is Action.SPAWN_ENGINE:
                assert not ends, "a start of the engine in the end"
            if action is Action.SPAWN_PROXY:
                assert not ends or self.jobs_left, "a start of the proxy in the end, for no job"
                self.proxies_at_the_end += ends
                self.jobs_left = False
            if action is Action.KILL_PROXY:
                assert self.aborted, "a proxy is killed before its jobs were ended with an error"
            if action is Action.EXIT and self.jobs_left:
                given_up = self.aborted or self.proxies_at_the_end == POLICY.last_proxies
                assert given_up, "jobs were left, and no proxy to tell them"
            self.aborted = self.aborted or action is Action.ABORT_JOBS
            self.engines += action is Action.SPAWN_ENGINE
            self.proxies += action is Action.SPAWN_PROXY
            self.over = self.over or action is Action.EXIT
        assert self.engines <= 1, "two engines at once"
        assert self.proxies <= 1, "two proxies at once"

    def deliver(self, event: Event) -> None:
        possible = {
            Exited: self.engines == 1,
            Ended: self.engines == 1,
            Probed: self.engines == 1,
            Stalled: self.engines == 1,
            ProxyExited: self.proxies == 1,
        }
        if self.over or not possible.get(type(event), True):
            return
        self.now += 1.0
        if isinstance(event, Due) and self.state.due is not None:
            self.now = max(self.now, self.state.due)
        self.engines -= isinstance(event, Exited)
        self.proxies -= isinstance(event, ProxyExited)
        self.stops += isinstance(event, Stop)
        if isinstance(event, ProxyExited):
            self.jobs_left = event.jobs > 0
        self.state, actions = lifecycle.step(self.state, event, POLICY, self.now)
        self.act(actions)
        self.see_that_the_state_is_true()

    def see_that_the_state_is_true(self) -> None:
        engine = isinstance(self.state.engine, Process)
        proxy = isinstance(self.state.proxy, ProxyRunning | ProxyKilled)
        assert self.engines == 1 or not engine, "an engine that is not there"
        assert self.proxies == 1 or not proxy or self.over, "a proxy that is not there"
        if self.state.end is None:
            assert engine == (self.engines == 1), "an engine that nobody knows of"
            assert proxy == (self.proxies == 1), "a proxy that nobody knows of"
        if self.state.phase is Phase.READY:
            assert self.engines == 1, "ready without an engine"
        if self.state.phase in {Phase.STOPPED, Phase.FAILED}:
            assert self.state.exit_code is not None
            assert self.over or self.state.due is not None, "an end that nobody brings about"
        if self.state.phase in {Phase.STARTING, Phase.RESTARTING, Phase.DRAINING}:
            assert self.state.due is not None, "a wait without an end"


HISTORIES = st.lists(st.sampled_from(EVENTS), max_size=40)


@given(events=HISTORIES, proxy=st.booleans(), obedient=st.booleans())
@pytest.mark.filterwarnings("default")
def test_no_sequence_of_events_reaches_a_bad_state(
    events: list[Event], proxy: bool, obedient: bool
) -> None:
    """Never two engines, never READY without one, no start after a stop, no wait without an end,
    and a stop ends the worker, also where no process does what it is told.
    """
    world = World(proxy=proxy)
    for event in events:
        world.deliver(event)
    world.deliver(Stop())
    for _ in range(6):
        for last in (KILLED, ProxyExited(0)) if obedient else ():
            world.deliver(last)
        world.deliver(Due())
    assert world.over
    assert world.state.phase in {Phase.STOPPED, Phase.FAILED}
    if not obedient and world.engines and world.state.phase is Phase.STOPPED:
        raise AssertionError("stopped beside an engine that lives")
