"""Fixtures that tests of several folders share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes import Worker

Start = Callable[..., Worker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts workers in plain mode, with these variables."""
    workers: list[Worker] = []

    def one(**environment: str) -> Worker:
        workers.append(Worker(tmp_path / f"worker-{len(workers)}.log", environment))
        return workers[-1]

    yield one
    for worker in workers:
        worker.end()
