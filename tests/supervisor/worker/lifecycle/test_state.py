"""What follows from the parts of a state: its phase, its deadline, its exit code."""

from __future__ import annotations

import pytest

from supervisor.worker.lifecycle import (
    BackingOff,
    Draining,
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
    Serving,
    Stage,
    Starting,
    State,
)

BEFORE = History(failures=1)


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        (State(engine=Starting(5.0)), Phase.STARTING),
        (State(engine=Killed(5.0, "late", late=True)), Phase.STARTING),
        (State(engine=Serving(1.0)), Phase.READY),
        (State(engine=BackingOff(5.0), history=BEFORE), Phase.RESTARTING),
        (State(engine=Starting(5.0), history=BEFORE), Phase.RESTARTING),
        (State(engine=Leaving(5.0), history=History(was_ready=True)), Phase.RESTARTING),
        (State(engine=Serving(1.0), end=Draining(Stage.JOBS)), Phase.DRAINING),
        (State(engine=Serving(1.0), end=GivingUp(ExitCode.UNEXPECTED, 9.0)), Phase.FAILED),
        (State(end=Finished(ExitCode.OK)), Phase.STOPPED),
        (State(end=Finished(ExitCode.CONFIGURATION)), Phase.FAILED),
    ],
)
def test_the_phase_follows_from_the_parts(state: State, phase: Phase) -> None:
    assert state.phase is phase


@pytest.mark.parametrize(
    ("state", "due"),
    [
        (State(engine=Serving(1.0), proxy=ProxyRunning(1.0)), None),
        (State(engine=Starting(5.0), proxy=ProxyWaiting(4.0)), 4.0),
        (State(engine=BackingOff(5.0), proxy=ProxyWaiting(6.0)), 5.0),
        (State(Killed(8.0), ProxyRunning(1.0), Draining(Stage.JOBS, 7.0)), 7.0),
        (State(Leaving(8.0), ProxyKilled(7.5), Draining(Stage.PROCESSES)), 7.5),
        (State(NoEngine(), NoProxy(), Draining(Stage.PROCESSES)), None),
        (State(Killed(1.0), ProxyRunning(1.0), GivingUp(ExitCode.UNEXPECTED, 9.0)), 9.0),
        (State(Killed(1.0), NoProxy(), Finished(ExitCode.UNEXPECTED)), None),
    ],
)
def test_the_nearest_deadline_is_due(state: State, due: float | None) -> None:
    """Once the worker gives up, it waits for the proxy alone."""
    assert state.due == due


def test_the_exit_code_is_known_when_it_is_decided() -> None:
    assert State(end=Draining(Stage.JOBS)).exit_code is None
    assert State(end=GivingUp(ExitCode.CONFIGURATION, 9.0)).exit_code == 78
    assert State(end=Finished(ExitCode.OK)).exit_code == 0
