"""What a registry shows is sent again and again, and nobody waits for a collector."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from supervisor.settings.otel import Target
from supervisor.telemetry.pushing import Pushing
from tests.client import PATIENCE
from tests.collector import Collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as one:
        yield one


def pushing(collector: Collector, registry: CollectorRegistry) -> Pushing:
    target = Target(f"{collector.url}/v1/metrics", 5.0)
    return Pushing(target, 0.01, {}, lambda: list(registry.collect()))


async def test_they_are_sent_until_the_end_and_once_more(collector: Collector) -> None:
    registry = CollectorRegistry()
    jobs = Counter("jobs_total", "Jobs.", registry=registry)
    one = pushing(collector, registry)
    task = asyncio.create_task(one.repeat())
    async with asyncio.timeout(PATIENCE):
        while len(collector.metrics()) < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    jobs.inc(3)
    one.last()
    [point] = collector.metrics()[-1]["jobs"].sum.data_points
    assert point.as_double == 3


async def test_a_collector_that_hangs_gets_one_at_a_time_and_holds_up_no_end(
    collector: Collector,
) -> None:
    registry = CollectorRegistry()
    Counter("jobs_total", "Jobs.", registry=registry)
    collector.open.clear()
    one = pushing(collector, registry)
    task = asyncio.create_task(one.repeat())
    before = threading.active_count()
    async with asyncio.timeout(PATIENCE):
        while not collector.asked:
            await asyncio.sleep(0.01)
        for _ in range(10):  # turns in which others could be sent
            await asyncio.sleep(0.02)
    assert collector.asked == 1
    assert threading.active_count() < before + 5
    task.cancel()
    one.last()
    assert collector.metrics() == []


def test_what_cannot_be_built_is_told_once_and_without_a_traceback(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER"
    monkeypatch.setenv(name, "not-installed")
    one = pushing(collector, CollectorRegistry())
    one.last()
    one.last()
    [record] = [each for each in caplog.records if each.name == "supervisor"]
    assert record.getMessage().startswith("no metrics are exported: ")
    assert "not-installed" in record.getMessage()
    assert record.exc_info is None
    assert collector.asked == 0
