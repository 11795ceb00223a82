"""The engine and the proxy while the worker works."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.worker import lifecycle
from supervisor.worker.lifecycle import (
    Action,
    Answering,
    BackingOff,
    CannotFit,
    Due,
    Ended,
    ExitCode,
    Exited,
    Killed,
    Phase,
    Probed,
    ProxyExited,
    ProxyRunning,
    ProxyWaiting,
    Ready,
    Serving,
    Stalled,
    Starting,
    Stop,
    Warming,
)
from tests.supervisor.worker.lifecycle.story import (
    CRASH,
    DEAD,
    KILLED,
    POLICY,
    WRONG,
    after,
)


def test_ready() -> None:
    state, actions = after(Ready())
    assert (state.phase, state.due, actions) == (Phase.READY, None, [])


def test_a_start_is_not_late_for_its_warm_up() -> None:
    """What was healthy in time has the time of its warm-up beyond STARTUP_TIMEOUT, and no more."""
    state, actions = after(Warming(30.0))
    assert (state.phase, state.due, actions) == (Phase.STARTING, 100.0, [])
    state, actions = after(*[Probed(healthy=True)] * 90, Warming(30.0))
    assert (state.phase, state.due, actions) == (Phase.STARTING, 91.0 + 30.0, [])
    assert after(*[Probed(healthy=True)] * 90, Warming(30.0), Due())[1] == [Action.KILL_ENGINE]
    assert after(Warming(30.0), Ready())[0].phase is Phase.READY


def test_an_engine_that_ends_while_it_is_warmed_up_has_failed_to_start() -> None:
    state, _ = after(Warming(30.0), WRONG)
    assert (state.phase, state.exit_code) == (Phase.FAILED, ExitCode.CONFIGURATION)
    assert after(Warming(30.0), Stop())[1] == [Action.KILL_ENGINE]


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
    state, actions = after(Ready(), Exited("it broke", left=True))
    assert (state.phase, state.exit_code, actions) == (Phase.FAILED, 1, [Action.EXIT])
    assert state.history.last_failure is not None
    assert state.history.last_failure.startswith("the engine's processes cannot be killed")
    assert state.history.last_failure.endswith("it broke")


def test_weights_that_cannot_fit_end_the_first_start_for_good() -> None:
    """Whatever the killed engine says; jobs are left to a worker with more memory."""
    state, actions = after(CannotFit("too large"))
    assert (state.phase, actions) == (Phase.STARTING, [Action.KILL_ENGINE])
    shared = replace(WRONG, shared=True)
    for end in (KILLED, replace(KILLED, doing="importing"), replace(CRASH, told=True), shared):
        state, actions = after(CannotFit("too large"), Ended(), end, proxy=True)
        assert (state.phase, state.exit_code) == (Phase.FAILED, ExitCode.CONFIGURATION)
        assert state.history.last_failure == "too large"
        assert not isinstance(state.end, Answering)


def test_weights_that_were_served_do_fit() -> None:
    for before in ((Ready(),), (Ready(), CRASH, Due())):
        assert after(*before, CannotFit("too large"))[0] == after(*before)[0]


def test_the_same_words_later_are_a_crash() -> None:
    assert after(Ready(), WRONG)[0].phase is Phase.RESTARTING


def test_gives_up_after_the_last_restart() -> None:
    state, _ = after(CRASH, Due(), CRASH, Due(), CRASH)
    assert (state.phase, state.exit_code) == (Phase.FAILED, ExitCode.RESTARTS_USED_UP)
    assert state.history.restarts == 2


def test_an_end_that_a_job_answers_for_is_no_failure() -> None:
    """The engine comes back, however often, and soon; all the same each is a restart."""
    excused = replace(CRASH, excused=True)
    again = (excused, Due(), Ready())
    state, actions = after(Ready(), *again, *again, *again, *again, excused, Due())
    assert (state.phase, actions) == (Phase.RESTARTING, [Action.SPAWN_ENGINE])
    assert (state.history.failures, state.history.restarts) == (0, 5)
    assert after(Ready(), *again, excused)[0].engine == BackingOff(5.0 + 1.0)
    assert after(Ready(), replace(excused, left=True))[0].phase is Phase.FAILED
    # What failed before goes on counting, and does not make the neighbours of that job wait.
    state, _ = after(Ready(), CRASH, Due(), Ready(), *again, CRASH)
    assert state.history.failures == 2
    state, _ = after(CRASH, Due(), CRASH, Due(), Ready(), excused)
    assert (state.history.failures, state.engine) == (2, BackingOff(6.0 + 1.0))


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


def test_an_engine_that_says_it_is_dead_has_time_to_end_or_to_take_it_back() -> None:
    state, actions = after(Ready(), DEAD, DEAD, Probed(healthy=False))
    assert (state.phase, state.due, actions) == (Phase.RESTARTING, 2.0 + 15.0, [])
    state, actions = after(Ready(), DEAD, Probed(healthy=True))
    assert (state.phase, state.engine, actions) == (Phase.READY, Serving(1.0), [])
    state, _ = after(Ready(), DEAD, Ended(), Probed(healthy=True))
    assert state.phase is Phase.RESTARTING, "its process has ended"
    told = replace(CRASH, told=True)
    assert after(Ready(), DEAD, Due(), told)[0].history.last_failure == "it broke"
    # What an engine said that hangs is no reason why.
    bad = Probed(healthy=False)
    assert "health probes" in str(after(Ready(), bad, bad, bad, told)[0].history.last_failure)


def test_ten_healthy_minutes_forgive() -> None:
    state, _ = after(CRASH, Due(), Ready())
    assert state.history.failures == 1
    assert isinstance(state.engine, Serving)
    late = state.engine.since + 601
    assert lifecycle.step(state, CRASH, POLICY, late)[0].history.failures == 1
    assert lifecycle.step(state, Probed(healthy=True), POLICY, late)[0].history.failures == 0
    leaving = lifecycle.step(state, Ended(), POLICY, late)[0]
    assert lifecycle.step(leaving, CRASH, POLICY, late + 1)[0].history.failures == 1


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


def test_an_engine_that_had_ended_by_itself_has_its_own_cause() -> None:
    """Its group took long to go, so that we thought something else meanwhile."""
    dead = Probed(healthy=False, sick=True)
    for before in ((Ready(), Ended()), (Ready(), dead, Ended()), (Ended(),)):
        assert after(*before, Due(), CRASH)[0].history.last_failure == "it broke"
    assert "did not end" in str(after(Ready(), dead, Due(), CRASH)[0].history.last_failure)
    out_of_memory = replace(CRASH, out_of_memory=True)
    assert after(Ready(), dead, Due(), out_of_memory)[0].history.last_failure == "it broke"
    assert "was not ready" in str(after(Due(), Ended(), CRASH)[0].history.last_failure)


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


def test_an_engine_that_says_it_is_dead_is_not_ready_and_may_end_by_itself() -> None:
    for dead in (Probed(healthy=False, sick=True), Ended()):
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
    assert state.engine.why is not None
    assert "for 300 s" in state.engine.why.words
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


WANT = Exited("Too many open files", wanting=True)


def test_want_counts_for_nothing_as_long_as_a_start_may_take() -> None:
    """Neither as a failure nor as a restart, and each try comes after the same pause."""
    lost = (Ready(), CRASH)
    tries = (Due(), WANT) * 15
    state, actions = after(*lost, *tries)
    assert state.engine == BackingOff(state.engine.until, spawned=False)  # type: ignore[union-attr]
    assert (state.phase, state.history.failures) == (Phase.RESTARTING, 1)
    assert state.history.last_failure == "Too many open files"
    assert actions == []
    state, actions = after(*lost, *tries, Due())
    assert (state.history.restarts, actions) == (1, [Action.SPAWN_ENGINE])
    assert after(WANT)[0].phase is Phase.STARTING, "the first one is still to come"
    assert after(WANT, Due())[0].history.restarts == 0


def test_want_that_lasts_longer_than_a_start_may_ends_the_worker() -> None:
    most = round(POLICY.startup_timeout / POLICY.wanting_pause)
    state, actions = after(Ready(), CRASH, *(Due(), WANT) * most)
    assert state.exit_code == 71
    why = f"Too many open files; so it was for {POLICY.startup_timeout:.0f} s"
    assert (state.history.last_failure, state.history.failures) == (why, 1)
    assert actions[-1] is Action.EXIT
    half = (Due(), WANT) * (most // 2 + 1)
    assert after(Ready(), CRASH, *half, Due(), Ready(), CRASH, *half)[0].exit_code is None
    assert after(Ready(), CRASH, *half, Due(), CRASH, *half)[0].exit_code is None


def test_nor_does_it_for_the_proxy() -> None:
    gone = ProxyExited(None, "Too many open files", wanting=True)
    state, actions = after(Ready(), *(gone, Due()) * 50, proxy=True)
    assert state.history.proxy_failures == 0
    assert actions == [Action.SPAWN_PROXY]
    assert after(Ready(), gone, proxy=True)[0].proxy == ProxyWaiting(2.0 + POLICY.wanting_pause)
