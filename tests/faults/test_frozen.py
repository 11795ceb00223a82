"""A worker that is frozen as a whole and thawed later, as platforms do with idle ones."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import Start
from tests.endpoint import Platform
from tests.processes import Worker, until

FROZEN = 12.0  # seconds; above 5 it is no busy machine, and above each time that the tests set


@contextlib.contextmanager
def frozen(worker: Worker) -> Iterator[None]:
    """Every process of the worker stands still, for as long as the block and FROZEN last.

    The supervisor goes on first: it sees its children before they can do anything.
    """
    own = psutil.Process(worker.process.pid)
    every = [own, *own.children(recursive=True)]
    for process in every:
        process.suspend()
    yield
    time.sleep(FROZEN)  # the time in which nothing ran is what is tried
    for process in every:
        process.resume()


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
    with frozen(worker):
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
    with frozen(worker):
        pass
    job = platform.submit(stream(60, 20))
    until(lambda: platform.job(job)["posts"], what="the first batch")
    with frozen(worker):
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
    with frozen(worker):
        pass
    completed(platform, job, 80)
    assert worker.wait() == 0
    assert worker.left() == []
    undisturbed(worker)
