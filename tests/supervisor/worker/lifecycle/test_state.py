"""What follows from the parts of a state: its phase, its deadline, its exit code."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.worker.lifecycle import (
    BackingOff,
    DrainingJobs,
    DrainingProcesses,
    ExitCode,
    Finished,
    GivingUp,
    History,
    Killed,
    Leaving,
    NoEngine,
    NoProxy,
    Phase,
    ProxyKilled,
    ProxyRunning,
    ProxyWaiting,
    Reason,
    Serving,
    Starting,
    State,
)

BEFORE = History(failures=1)
NONE, RUNS = NoProxy(), ProxyRunning(1.0)


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        (State(Starting(5.0), NONE), Phase.STARTING),
        (State(Killed(5.0, Reason("late", late=True)), NONE), Phase.STARTING),
        (State(Serving(1.0), NONE), Phase.READY),
        (State(BackingOff(5.0), NONE, history=BEFORE), Phase.RESTARTING),
        (State(Starting(5.0), NONE, history=BEFORE), Phase.RESTARTING),
        (State(Leaving(5.0), NONE, history=History(was_ready=True)), Phase.RESTARTING),
        (State(Serving(1.0), NONE, DrainingJobs(5.0)), Phase.DRAINING),
        (State(Leaving(5.0), NONE, DrainingProcesses()), Phase.DRAINING),
        (State(Serving(1.0), RUNS, GivingUp(ExitCode.UNEXPECTED, 9.0)), Phase.FAILED),
        (State(NoEngine(), NONE, Finished(ExitCode.OK)), Phase.STOPPED),
        (State(NoEngine(), NONE, Finished(ExitCode.CONFIGURATION)), Phase.FAILED),
    ],
)
def test_the_phase_follows_from_the_parts(state: State, phase: Phase) -> None:
    assert state.phase is phase


@pytest.mark.parametrize(
    ("state", "due"),
    [
        (State(Serving(1.0), RUNS), None),
        (State(Starting(5.0), ProxyWaiting(4.0)), 4.0),
        (State(BackingOff(5.0), ProxyWaiting(6.0)), 5.0),
        (State(Killed(8.0), RUNS, DrainingJobs(7.0)), 7.0),
        (State(Leaving(8.0), ProxyKilled(7.5), DrainingProcesses()), 7.5),
        (State(Killed(1.0), RUNS, GivingUp(ExitCode.UNEXPECTED, 9.0)), 9.0),
        (State(NoEngine(), NONE, Finished(ExitCode.UNEXPECTED)), None),
    ],
)
def test_the_nearest_deadline_is_due(state: State, due: float | None) -> None:
    """Once the worker gives up, it waits for the proxy alone."""
    assert state.due == due


def test_the_exit_code_is_known_when_it_is_decided() -> None:
    assert State(Serving(1.0), NONE, DrainingJobs(5.0)).exit_code is None
    assert State(Serving(1.0), RUNS, GivingUp(ExitCode.CONFIGURATION, 9.0)).exit_code == 78
    assert State(NoEngine(), NONE, Finished(ExitCode.OK)).exit_code == 0


@pytest.mark.parametrize(
    ("engine", "proxy", "end"),
    [
        (NoEngine(), NONE, None),
        (Serving(1.0), ProxyKilled(5.0), None),
        (BackingOff(5.0), RUNS, GivingUp(ExitCode.UNEXPECTED, 9.0)),
        (Serving(1.0), NONE, GivingUp(ExitCode.UNEXPECTED, 9.0)),
        (BackingOff(5.0), NONE, DrainingJobs(5.0)),
        (Serving(1.0), ProxyWaiting(5.0), DrainingJobs(5.0)),
        (Leaving(5.0), RUNS, DrainingProcesses()),
        (Serving(1.0), NONE, Finished(ExitCode.OK)),
        (NoEngine(), RUNS, Finished(ExitCode.OK)),
    ],
)
def test_what_cannot_be_cannot_be_made(engine: Any, proxy: Any, end: Any) -> None:
    with pytest.raises(ValueError, match="no worker stands so"):
        State(engine, proxy, end)
