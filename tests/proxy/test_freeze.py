"""A proxy that was frozen and restored, its connections to the platform dead without a word.

It takes up to two seconds. The time that is granted is far less than the 90 s for which a poll is
held, or the 30 s for which a post waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import client
from tests.endpoint import Platform
from tests.freeze import frozen, soon
from tests.processes import until
from tests.proxy.test_process import Proxy, stream
from tests.relay import Relay

FROZEN_FOR = 8.0  # seconds: more than what a busy machine can do


class Parts:
    """A platform behind a relay, and a proxy that reaches it only there."""

    def __init__(self, platform: Platform, relay: Relay, proxy: Proxy) -> None:
        self.platform = platform
        self.relay = relay
        self.proxy = proxy


@pytest.fixture
def parts(fake_engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Parts]:
    """With `indirect`, the most jobs at once."""
    with Platform("--poll-seconds", "300") as platform, Relay(platform.port) as relay:
        seen = Platform.__new__(Platform)  # the same one, by the relay's port
        seen.root = f"http://127.0.0.1:{relay.port}"
        at_once = str(getattr(request, "param", 20))
        with Proxy(seen, fake_engine, tmp_path / "log", MAX_CONCURRENCY=at_once) as proxy:
            until(lambda: platform.count("job-take"), what="a poll")
            until(lambda: platform.count("job-stop"), what="a poll for stops")
            yield Parts(platform, relay, proxy)
            assert "Traceback" not in proxy.log.read_text()


def tokens(found: dict[str, Any]) -> int:
    return "".join(found["output"]).count('"text"')


def test_an_idle_worker_takes_the_next_job(parts: Parts, fake_engine: str) -> None:
    with frozen(parts.proxy.process.pid, FROZEN_FOR):
        parts.relay.cut()
    with soon():
        parts.platform.until(parts.platform.submit({"prompt": "x"}), "COMPLETED")
    job = parts.platform.submit(stream(tokens=100_000, rate=100))
    until(lambda: parts.platform.job(job)["posts"], what="the first batch")
    parts.platform.cancel(job)
    with soon():
        until(lambda: client.running(fake_engine) == 0, what="the stop to be heard")


def test_a_stream_goes_on(parts: Parts) -> None:
    job = parts.platform.submit(stream(tokens=300, rate=50))
    until(lambda: parts.platform.job(job)["posts"], what="the first batch")
    with frozen(parts.proxy.process.pid, FROZEN_FOR):
        parts.relay.cut()
    with soon():
        found = parts.platform.until(job, "COMPLETED")
    assert tokens(found) == 300


@pytest.mark.parametrize("parts", [1], indirect=True)
def test_a_worker_that_was_full_takes_the_next_job(parts: Parts) -> None:
    """No poll is open then, and the connection of the last one is idle and dead."""
    job = parts.platform.submit(stream(tokens=200, rate=50))
    until(lambda: parts.platform.job(job)["posts"], what="the first batch")
    with frozen(parts.proxy.process.pid, FROZEN_FOR):
        parts.relay.cut()
    with soon():
        parts.platform.until(job, "COMPLETED")
        parts.platform.until(parts.platform.submit({"prompt": "x"}), "COMPLETED")


@pytest.mark.parametrize("kind", ["job-stream", "job-done"])
def test_a_post_that_was_under_way_is_sent_again(parts: Parts, kind: str) -> None:
    """The platform has it, and its answer never comes: a result counts once all the same."""
    parts.platform.fault(path=kind, delay_ms=60_000)
    job = parts.platform.submit(stream(tokens=20, rate=50))
    until(lambda: parts.platform.count(kind), what="the post")
    with frozen(parts.proxy.process.pid, FROZEN_FOR):
        parts.relay.cut()
    with soon():
        found = parts.platform.until(job, "COMPLETED")
    assert tokens(found) == 20
    if kind == "job-done":
        assert found["done"] == 1, "the first one never arrived"


def test_with_live_connections_nothing_changes(parts: Parts) -> None:
    job = parts.platform.submit(stream(tokens=300, rate=50))
    until(lambda: parts.platform.job(job)["posts"], what="the first batch")
    with frozen(parts.proxy.process.pid, FROZEN_FOR):
        idle = parts.platform.submit({"prompt": "x"})
    with soon():
        parts.platform.until(idle, "COMPLETED")
        found = parts.platform.until(job, "COMPLETED")
    assert tokens(found) == 300
    assert "".join(post["output"] for post in found["posts"]) == "".join(found["output"])
