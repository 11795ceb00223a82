"""Which parts have a deadline."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.worker.lifecycle import (
    Answering,
    BackingOff,
    DrainingJobs,
    DrainingProcesses,
    ExitCode,
    Finished,
    Killed,
    Leaving,
    NoEngine,
    NoProxy,
    ProxyKilled,
    ProxyRunning,
    ProxyWaiting,
    Serving,
    Starting,
    StillServing,
)
from supervisor.worker.lifecycle.parts import deadline, later

WAIT = [
    BackingOff, Starting, Leaving, Killed, ProxyWaiting, ProxyKilled, StillServing, DrainingJobs,
]  # fmt: skip
FOR_EVER = [
    NoEngine(), Serving(1.0), NoProxy(), ProxyRunning(1.0), DrainingProcesses(),
    Finished(ExitCode.OK), None,
]  # fmt: skip


@pytest.mark.parametrize("kind", WAIT)
def test_what_waits_has_a_deadline(kind: Any) -> None:
    assert deadline(kind(5.0)) == 5.0


@pytest.mark.parametrize("part", FOR_EVER)
def test_what_lasts_has_none(part: Any) -> None:
    assert deadline(part) is None


def test_every_time_in_a_part_can_be_moved() -> None:
    part: Any
    for kind in WAIT:
        part = kind(5.0)
        assert deadline(later(part, 30.0)) == 35.0
    assert later(Serving(1.0, missed=2), 30.0) == Serving(31.0, missed=2)
    assert later(Leaving(5.0, sick=Serving(1.0)), 30.0) == Leaving(35.0, sick=Serving(31.0))
    answers = Answering(ExitCode.CONFIGURATION, 5.0, None, taken=3)
    assert later(answers, 30.0) == Answering(ExitCode.CONFIGURATION, 35.0, None, taken=3)
    assert later(Answering(ExitCode.OK, 5.0, 4.0), 1.0) == Answering(ExitCode.OK, 6.0, 5.0)
    assert later(NoEngine(), 30.0) == NoEngine()
