"""What a registry shows is sent again and again, and nobody waits for a collector."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from supervisor.settings.otel import Target
from supervisor.telemetry import exporting
from supervisor.telemetry.pushing import Pushing
from tests.client import PATIENCE
from tests.collector import Collector
from tests.processes import free_port
from tests.threads import no_threads


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as one:
        yield one


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine OpenTelemetry's imports alone may take as long as a stop waits."""
    monkeypatch.setattr(exporting, "_END_WITHIN", PATIENCE)


def pushing(collector: Collector, registry: CollectorRegistry) -> Pushing:
    return to(f"{collector.url}/v1/metrics", registry)


def to(url: str, registry: CollectorRegistry) -> Pushing:
    return Pushing(Target(url, 1.5), 0.01, {}, lambda: list(registry.collect()))


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == "supervisor"]


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
    await one.last()
    [point] = collector.metrics()[-1]["jobs"].sum.data_points
    assert point.as_double == 3


async def test_a_collector_that_hangs_gets_one_at_a_time_and_holds_up_no_end(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_END_WITHIN", 0.1)
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
    await one.last()
    assert collector.metrics() == []


async def test_what_cannot_be_built_is_told_once_and_without_a_traceback(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER"
    monkeypatch.setenv(name, "not-installed")
    one = pushing(collector, CollectorRegistry())
    await one.last()
    await one.last()
    [record] = [each for each in caplog.records if each.name == "supervisor"]
    assert record.getMessage().startswith("no metrics are exported: ")
    assert "not-installed" in record.getMessage()
    assert record.exc_info is None
    assert collector.asked == 0


@pytest.mark.parametrize("status", [301, 302, 308])
def test_a_collector_that_redirects_is_told_of_with_the_address(
    collector: Collector, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """The SDK takes that for a success, and follows it nowhere."""
    collector.status, collector.location = status, "https://c.example/v1/metrics?key=secret"
    one = pushing(collector, CollectorRegistry())
    for _ in range(2):
        one._sent([], 1)
    why = "it redirects to https://c.example/v1/metrics; set that address"
    lost = f"the metrics are lost until {collector.url}/v1/metrics takes them: {why}"
    assert said(caplog) == [lost]
    assert collector.asked == 2
    caplog.set_level(logging.INFO)
    collector.status = 200
    one._sent([], 1)
    assert said(caplog)[1:] == [f"{collector.url}/v1/metrics takes the metrics again"]


@pytest.mark.parametrize(
    ("host", "whys"),
    [
        ("127.0.0.1", {"Connection refused"}),
        ("nosuch.invalid", {"Name or service not known", "Temporary failure in name resolution"}),
    ],
)
def test_the_line_about_a_collector_that_is_away_says_why(
    caplog: pytest.LogCaptureFixture, host: str, whys: set[str]
) -> None:
    """Which the library says of its first tries alone, and of a short one never."""
    url = f"http://{host}:{free_port()}/v1/metrics"
    to(url, CollectorRegistry())._sent([], 1)
    [line] = said(caplog)
    before, _, why = line.partition("takes them: ")
    assert before == f"the metrics are lost until {url} "
    assert why in whys


def test_what_the_machine_has_not_for_the_first_one_it_may_have_for_the_next(
    collector: Collector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    one = pushing(collector, CollectorRegistry())
    made = one._made
    faults = [OSError(24, "Too many open files"), OSError(24, "Too many open files")]

    def lacking() -> Any:
        if faults:
            raise faults.pop()
        return made()

    monkeypatch.setattr(one, "_made", lacking)
    for _ in range(3):
        one._sent([], 1)
    url = f"{collector.url}/v1/metrics"
    assert said(caplog) == [
        f"the metrics are lost until {url} takes them: [Errno 24] Too many open files",
        f"{url} takes the metrics again",
    ]


async def test_without_threads_exports_fail_and_nothing_else(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one = pushing(collector, CollectorRegistry())
    task = asyncio.create_task(one.repeat())
    with no_threads():
        async with asyncio.timeout(PATIENCE):
            while not caplog.records:
                await asyncio.sleep(0.01)
        for _ in range(10):  # turns in which it could be said again
            await asyncio.sleep(0.02)
        await one.last()
    async with asyncio.timeout(PATIENCE):
        while len(said(caplog)) < 2:
            await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
    url = f"{collector.url}/v1/metrics"
    lost, again = said(caplog)
    assert lost.startswith(f"the metrics are lost until {url} takes them: no more threads are")
    assert again == f"{url} takes the metrics again"


async def test_metrics_that_cannot_be_collected_are_a_failed_export(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = Pushing(Target("http://c", 1.0), 0.01, {}, lambda: [1 // 0])  # type: ignore[list-item]
    await one.last()
    [line] = said(caplog)
    assert "takes them: ZeroDivisionError: integer division or modulo by zero" in line


async def test_metrics_that_cannot_be_sent_are_a_failed_export(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    one = pushing(collector, CollectorRegistry())
    for _ in range(2):
        one._sent([7], 1)  # type: ignore[list-item]
    [line] = said(caplog)
    assert "takes them: AttributeError: 'int' object has no attribute" in line
