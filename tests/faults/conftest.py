"""Workers and a platform for the tests of faults; nothing of them outlives a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import Worker


@pytest.fixture(scope="package")
def platform() -> Iterator[Platform]:
    with Platform("--worker-lost-seconds", "3600") as one:
        yield one


@pytest.fixture
def serve(platform: Platform, start: Start, tmp_path: Path) -> Iterator[Start]:
    """Starts workers in queue mode, with these variables, and waits until they are ready."""

    def one(**environment: str) -> Worker:
        worker = start(
            **{
                **worker_environment(platform.root),
                "FAKE_VLLM_DONE": str(tmp_path / "done"),
                "FAKE_VLLM_STATE": str(tmp_path / "starts"),
                **environment,
            }
        )
        worker.until_ready()
        return worker

    yield one
    platform.no_faults()
