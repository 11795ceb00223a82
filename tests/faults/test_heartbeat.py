"""Pings that the platform does not take: what the log says of them, and that they go on."""

from __future__ import annotations

from typing import Any

import pytest

from tests import client
from tests.conftest import Start
from tests.endpoint import Platform
from tests.processes import until

JOBS = 60


@pytest.mark.parametrize("fault", [{"status": 500}, {"close": True}, {"status": 401}])
def test_a_ping_that_fails_is_one_short_line(
    platform: Platform, serve: Start, fault: dict[str, Any]
) -> None:
    """The platform's address in it has the id of every job in hand."""
    worker = serve(RUNPOD_PING_INTERVAL="1000")
    body = {"model": "tiny", "prompt": "x", "fake": {"hang": True}}
    asked = {"openai_route": "/v1/completions", "openai_input": body}
    jobs = [platform.submit(asked) for _ in range(JOBS)]
    until(lambda: client.running(worker.engine_url) == JOBS, what="all jobs at work")
    platform.fault(path="ping", times=10_000, **fault)
    until(lambda: "ping" in worker.text(), what="a line of it")
    platform.no_faults()
    before = platform.workers()["worker-1"]["pings"]
    until(lambda: platform.workers()["worker-1"]["pings"] > before + 1, what="pings as before")
    lines = [line for line in worker.text().splitlines() if "ping" in line]
    assert [line for line in lines if len(line) > 200] == []
    assert [job for job in jobs if any(job in line for line in lines)] == []
    assert all("WARNING proxy: the platform did not take a ping (" in line for line in lines)
    for job in jobs:
        platform.cancel(job)
    assert worker.stop() == 0
