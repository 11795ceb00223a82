"""Give up, at once or after jobs were told why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.worker import lifecycle
from supervisor.worker.lifecycle import (
    Action,
    Answering,
    Due,
    Event,
    ExitCode,
    GivingUp,
    JobsSeen,
    Phase,
    ProxyExited,
    ProxyRunning,
    Ready,
    State,
    Stop,
)
from tests.supervisor.worker.lifecycle.story import LEFT, POLICY, WITH_JOBS, WRONG, after

ANSWERS = replace(POLICY, answer_failed_for=60.0)
SHARED = replace(WRONG, shared=True)


def test_a_worker_that_gives_up_ends_its_jobs_with_an_error_before_the_proxy() -> None:
    for event in (Stop(), Due()):
        state, actions = after(Ready(), LEFT, event, proxy=True)
        assert (state.phase, actions, state.due) == (
            Phase.FAILED,
            [Action.ABORT_JOBS],
            (2.0 + (10.0 if event == Due() else 1.0)) + 5.0,
        )


def test_a_worker_that_gives_up_waits_for_the_proxy_to_say_why() -> None:
    state, actions = after(WRONG, proxy=True)
    assert (state.phase, state.exit_code, actions) == (Phase.FAILED, ExitCode.CONFIGURATION, [])
    state, actions = after(WRONG, ProxyExited(0), proxy=True)
    assert (state.exit_code, actions) == (ExitCode.CONFIGURATION, [Action.EXIT])
    for event in (Due(), Stop()):
        assert after(WRONG, event, proxy=True)[1] == [Action.ABORT_JOBS]
    assert after(WRONG, Stop(), Stop(), proxy=True)[1] == [Action.KILL_PROXY, Action.EXIT]


TOLD = [Action.TELL_PLATFORM, Action.EXIT]


def test_the_platform_is_told_without_a_proxy_that_did() -> None:
    """It died, it hung, or it was gone before."""
    assert after(WRONG, ProxyExited(-9), proxy=True)[1] == TOLD
    assert after(WRONG, Due(), Due(), proxy=True)[1] == [Action.KILL_PROXY, *TOLD]
    assert after(ProxyExited(-9), WRONG, proxy=True)[1] == TOLD
    for told in (ProxyExited(1, "this machine is not fit"), ProxyExited(78)):
        assert after(told, proxy=True)[1] == [Action.EXIT]
        assert after(WRONG, told, proxy=True)[1] == [Action.EXIT]


def answering(*events: Event) -> tuple[State, list[Action]]:
    """After a start that no worker can make, and these events, one second apart."""
    return after(SHARED, *events, proxy=True, policy=ANSWERS)


def test_jobs_are_answered_where_no_worker_can_start() -> None:
    state, actions = answering()
    assert (state.phase, state.exit_code, actions) == (Phase.FAILED, ExitCode.CONFIGURATION, [])
    assert state.end == Answering(ExitCode.CONFIGURATION, 1.0 + 30.0)
    begun, actions = answering(JobsSeen(0, 0))
    assert (begun.end, actions) == (Answering(ExitCode.CONFIGURATION, 2.0 + 60.0, 2.0), [])
    told, actions = answering(JobsSeen(0, 0), Due())
    assert told.end == GivingUp(ExitCode.CONFIGURATION, 62.0 + 10.0)
    assert actions == []
    assert answering(JobsSeen(0, 0), Due(), ProxyExited(0))[1] == [Action.EXIT]


@pytest.mark.parametrize(
    ("policy", "proxy", "event"),
    [(ANSWERS, True, WRONG), (POLICY, True, SHARED), (ANSWERS, False, SHARED)],
)
def test_they_are_not_where_another_worker_may_do_or_nobody_can(
    policy: lifecycle.Policy, proxy: bool, event: Event
) -> None:
    assert not isinstance(after(event, proxy=proxy, policy=policy)[0].end, Answering)


def test_what_some_engine_was_ready_with_is_no_such_cause() -> None:
    assert after(Ready(), SHARED, proxy=True, policy=ANSWERS)[0].phase is Phase.RESTARTING


def test_it_ends_early_where_nobody_waits() -> None:
    """Ten seconds without a job, neither in hand nor new."""
    quiet = [JobsSeen(0, 5)] * 10
    assert isinstance(answering(*quiet)[0].end, Answering)
    assert isinstance(answering(*quiet, JobsSeen(0, 5))[0].end, GivingUp)
    for busy in (JobsSeen(1, 5), JobsSeen(0, 6)):
        taken = busy.taken
        still = [*quiet, busy, *[JobsSeen(0, taken)] * 9]
        assert isinstance(answering(*still)[0].end, Answering)
        assert isinstance(answering(*still, JobsSeen(0, taken))[0].end, GivingUp)


def test_a_proxy_that_never_takes_a_job_ends_it() -> None:
    assert isinstance(answering(Due())[0].end, GivingUp)


def test_a_proxy_that_dies_while_it_answers_is_replaced_so_often() -> None:
    state, actions = answering(ProxyExited(-9))
    assert (state.proxy, actions) == (ProxyRunning(2.0), [Action.SPAWN_PROXY])
    assert state.end == Answering(ExitCode.CONFIGURATION, 2.0 + 30.0, proxies=1)
    assert answering(ProxyExited(-9), WITH_JOBS)[1] == [Action.SPAWN_PROXY]
    state, actions = answering(ProxyExited(-9), WITH_JOBS, ProxyExited(-9))
    assert (state.exit_code, actions) == (ExitCode.CONFIGURATION, TOLD)
    # One that cannot read its settings has told the platform, and another could not either.
    assert answering(ProxyExited(78))[1] == [Action.EXIT]


def test_one_that_was_gone_before_is_started_again() -> None:
    assert after(ProxyExited(-9), SHARED, proxy=True, policy=ANSWERS)[1] == [Action.SPAWN_PROXY]


def test_a_stop_ends_the_answers() -> None:
    state, actions = answering(Stop())
    assert (state.end, actions) == (GivingUp(ExitCode.CONFIGURATION, 12.0), [Action.DRAIN_JOBS])
    assert answering(Stop(), Stop())[1] == [Action.ABORT_JOBS]
    assert answering(Stop(), Stop(), Stop())[1] == [Action.KILL_PROXY, Action.EXIT]
