"""The pauses between two starts."""

from __future__ import annotations

from supervisor.worker import lifecycle
from supervisor.worker.lifecycle import (
    Policy,
)


def test_back_off_doubles_to_its_most() -> None:
    waits = [lifecycle.backoff(failures, Policy(), 0.0) for failures in range(8)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert lifecycle.backoff(3, Policy(), 1.0) == 4
