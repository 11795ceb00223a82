"""A worker that is frozen as a whole and thawed later, as platforms do with idle ones."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.freeze import frozen, soon
from tests.processes import Worker, until
from tests.relay import Relay

FROZEN = 12.0  # seconds; above 5 it is no busy machine, and above each time that the tests set


def undisturbed(worker: Worker) -> None:
    """Nothing was killed, nothing started again."""
    text = worker.text()
    assert "nothing ran here for" in text
    assert "restarting" not in text
    assert text.count("engine spawned") == 1
    assert "Traceback" not in text


def stream(tokens: int, rate: float) -> dict[str, Any]:
    fake = {"tokens": tokens, "rate": rate}
    body = {"model": "tiny", "prompt": "x", "stream": True, "fake": fake}
    return {"openai_route": "/v1/completions", "openai_input": body}


def completed(platform: Platform, job: str, tokens: int) -> None:
    found = platform.until(job, "COMPLETED")
    assert "".join(found["output"]).count('"text"') == tokens
    assert found["done"] == 1


def test_a_start_that_was_frozen_is_not_late(start: Start, tmp_path: Path) -> None:
    worker = start(FAKE_VLLM=f"wait-for={tmp_path / 'go'}", STARTUP_TIMEOUT="10")
    until(lambda: worker.ping() == 204, what="the control port")
    with frozen(worker.process.pid, FROZEN):
        pass
    until(lambda: "nothing ran here for" in worker.text(), what="the thaw")
    assert worker.ping() == 204
    (tmp_path / "go").touch()
    worker.until_ready()
    undisturbed(worker)
    assert worker.stop() == 0
    assert worker.left() == []


def test_idle_and_in_the_middle_of_a_stream(platform: Platform, serve: Start) -> None:
    """Neither the probes nor the silence of that time count."""
    worker = serve(ENGINE_STALL_TIMEOUT="4")
    with frozen(worker.process.pid, FROZEN):
        pass
    job = platform.submit(stream(60, 20))
    until(lambda: platform.job(job)["posts"], what="the first batch")
    with frozen(worker.process.pid, FROZEN):
        waiting = platform.submit(stream(5, 20))
    completed(platform, job, 60)
    completed(platform, waiting, 5)
    undisturbed(worker)
    assert worker.ping() == 200
    assert worker.status()["restarts"] == 0
    assert worker.stop() == 0


def test_a_drain_has_all_of_its_time(platform: Platform, serve: Start) -> None:
    worker = serve(DRAIN_TIMEOUT="10")
    job = platform.submit(stream(80, 20))
    until(lambda: platform.job(job)["posts"], what="the first batch")
    worker.process.send_signal(signal.SIGTERM)
    until(lambda: "stopping: jobs in hand have" in worker.text(), what="the drain")
    with frozen(worker.process.pid, FROZEN):
        pass
    completed(platform, job, 80)
    assert worker.wait() == 0
    assert worker.left() == []
    undisturbed(worker)


# --- restored elsewhere: its connections to the platform are dead, and nobody told it ---
#
# A worker that starts has none yet: the SDK pings once the engine is ready.


@pytest.fixture
def far() -> Iterator[tuple[Platform, Relay]]:
    """A platform that holds polls for long, and the way to it."""
    with Platform("--poll-seconds", "300") as platform, Relay(platform.port) as relay:
        yield platform, relay


def behind(relay: Relay) -> dict[str, str]:
    return worker_environment(f"http://127.0.0.1:{relay.port}")


def test_dead_connections_idle_and_in_the_middle_of_a_stream(
    far: tuple[Platform, Relay], start: Start
) -> None:
    platform, relay = far
    worker = start(**behind(relay))
    worker.until_ready()
    until(lambda: platform.count("job-take"), what="a poll")
    with frozen(worker.process.pid, FROZEN):
        relay.cut()
    pings = platform.workers()["worker-1"]["pings"]
    with soon():
        until(lambda: platform.workers()["worker-1"]["pings"] > pings, what="a ping")
        job = platform.submit(stream(60, 20))
        until(lambda: platform.job(job)["posts"], what="the first batch")
    with frozen(worker.process.pid, FROZEN):
        relay.cut()
    with soon():
        platform.until(platform.submit(stream(5, 20)), "COMPLETED")
        completed(platform, job, 60)
    undisturbed(worker)
    assert worker.stop() == 0


def test_dead_connections_while_it_drains(far: tuple[Platform, Relay], start: Start) -> None:
    platform, relay = far
    worker = start(**behind(relay), DRAIN_TIMEOUT="20")
    worker.until_ready()
    job = platform.submit(stream(80, 20))
    until(lambda: platform.job(job)["posts"], what="the first batch")
    worker.process.send_signal(signal.SIGTERM)
    until(lambda: "stopping: jobs in hand have" in worker.text(), what="the drain")
    with frozen(worker.process.pid, FROZEN):
        relay.cut()
    with soon():
        completed(platform, job, 80)
    assert worker.wait() == 0
    assert worker.left() == []
    undisturbed(worker)
