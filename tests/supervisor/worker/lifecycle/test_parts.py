"""Which parts have a deadline."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.worker.lifecycle import (
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
)
from supervisor.worker.lifecycle.parts import deadline

WAIT = [BackingOff, Starting, Leaving, Killed, ProxyWaiting, ProxyKilled, DrainingJobs]
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
