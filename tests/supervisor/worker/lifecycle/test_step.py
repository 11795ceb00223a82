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
    Answering,
    CannotFit,
    Due,
    Ended,
    Event,
    Exited,
    JobsDone,
    JobsSeen,
    JobTaken,
    Killed,
    NoProxy,
    Phase,
    Policy,
    Probed,
    ProxyExited,
    ProxyKilled,
    ProxyRunning,
    Ready,
    Serving,
    Stalled,
    Starting,
    State,
    Stop,
    Thawed,
    Warming,
)
from supervisor.worker.lifecycle.parts import Process
from tests.supervisor.worker.lifecycle.story import (
    CRASH,
    DEAD,
    KILLED,
    LEFT,
    POLICY,
    WRONG,
    after,
)

SHARED = replace(WRONG, shared=True)
BEGUN = State(Starting(100.0), NoProxy())


def test_begins_with_the_engine_and_in_queue_mode_the_proxy() -> None:
    assert after() == (BEGUN, [Action.SPAWN_ENGINE])
    assert after(proxy=True)[1] == [Action.SPAWN_ENGINE, Action.SPAWN_PROXY]


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


EVENTS: list[Event] = [
    Ready(), CRASH, WRONG, LEFT, Stop(), Due(), JobTaken(), JobsDone(), ProxyExited(0),
    ProxyExited(-9), ProxyExited(1, "unfit"), ProxyExited(-9, jobs=1), Ended(),
    Probed(healthy=True), Probed(healthy=False), DEAD, Stalled(300.0), JobsSeen(0, 0),
    JobsSeen(1, 1), Thawed(30.0), SHARED, CannotFit("too large"),
    Warming(70.0),
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


def test_a_freeze_moves_every_deadline_and_changes_nothing_else() -> None:
    for events in (
        (),
        (Ready(),),
        (CRASH,),
        (Ready(), Stop()),
        (WRONG,),
        (Due(),),
        (Ready(), DEAD),
    ):
        state, _ = after(*events, proxy=True)
        thawed, actions = after(*events, Thawed(30.0), proxy=True)
        assert (thawed.phase, thawed.exit_code, actions) == (state.phase, state.exit_code, [])
        assert thawed.due == (None if state.due is None else state.due + 30.0)
    state, _ = after(Ready(), Probed(healthy=False), Probed(healthy=False), Thawed(30.0))
    assert state.engine == Serving(1.0 + 30.0)
    state, _ = after(Ready(), DEAD, Thawed(30.0), Probed(healthy=True))
    assert state.engine == Serving(1.0 + 30.0), "it is the same engine"
    late, _ = after(Thawed(30.0), Due())
    assert after(Thawed(30.0))[0].due == 100.0 + 30.0
    assert isinstance(late.engine, Killed)


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
        or (event in {WRONG, SHARED} and phase is Phase.STARTING)
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

    def __init__(self, *, proxy: bool, policy: Policy = POLICY) -> None:
        self.policy = policy
        self.now = 0.0
        self.engines = self.proxies = self.stops = self.proxies_at_the_end = 0
        self.over = self.jobs_left = self.aborted = False
        self.state, actions = lifecycle.begin(policy, 0.0, proxy=proxy)
        self.act(actions)

    def act(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            assert not self.over, "an action after the end"
            ends = self.stops > 0 or self.state.phase is Phase.FAILED
            if action is Action.SPAWN_ENGINE:
                assert not ends, "a start of the engine in the end"
            if action is Action.SPAWN_PROXY:
                answers = isinstance(self.state.end, Answering)
                wanted = not ends or self.jobs_left or answers
                assert wanted, "a start of the proxy in the end, for no job"
                self.proxies_at_the_end += ends
                self.jobs_left = False
            if action is Action.KILL_PROXY:
                assert self.aborted, "a proxy is killed before its jobs were ended with an error"
            if action is Action.EXIT and self.jobs_left:
                given_up = self.aborted or self.proxies_at_the_end >= POLICY.last_proxies
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
        self.state, actions = lifecycle.step(self.state, event, self.policy, self.now)
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


@given(
    events=HISTORIES,
    proxy=st.booleans(),
    obedient=st.booleans(),
    delay=st.sampled_from([0.0, 15.0]),
)
@pytest.mark.filterwarnings("default")
def test_no_sequence_of_events_reaches_a_bad_state(
    events: list[Event], proxy: bool, obedient: bool, delay: float
) -> None:
    """Never two engines, never READY without one, no start after a stop, no wait without an end,
    and a stop ends the worker, also where no process does what it is told.
    """
    policy = replace(POLICY, answer_failed_for=4 * delay, drain_delay=delay)
    world = World(proxy=proxy, policy=policy)
    for event in events:
        world.deliver(event)
    world.deliver(Stop())
    for _ in range(7):
        for last in (KILLED, ProxyExited(0)) if obedient else ():
            world.deliver(last)
        world.deliver(Due())
    assert world.over
    assert world.state.phase in {Phase.STOPPED, Phase.FAILED}
    if not obedient and world.engines and world.state.phase is Phase.STOPPED:
        raise AssertionError("stopped beside an engine that lives")
