"""Fixtures that tests of several folders share, and the order in which tests run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import lanes, turns
from tests.processes import Worker

Start = Callable[..., Worker]

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile(
    "patient",
    hypothesis.settings.get_profile("ci" if "CI" in os.environ else "default"),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("patient")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand whole lanes to the processes, in the order of the tests."""
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = False  # the lanes with many tests are not the long ones
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = lanes.lane
    return scheduler


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, and one engine after the other."""
    items.sort(key=lambda item: lanes.rank(item.nodeid, [m.name for m in item.iter_markers()]))


@pytest.fixture(autouse=True)
def _in_turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that starts a real engine waits until no other one runs."""
    if request.node.get_closest_marker("own_engine") is None:
        yield
    else:
        with turns.engine.taken(turns.aloud(request.config)):
            yield


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
