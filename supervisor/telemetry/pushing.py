"""Sends what a registry of Prometheus' shows to a collector, again and again.

OpenTelemetry is imported by the thread that sends: the first time takes half a second of CPU.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..secrets import masked
from ..settings.otel import Target
from .exporting import Exports, within

if TYPE_CHECKING:
    from prometheus_client import Metric

log = logging.getLogger("supervisor")

_END_WITHIN = 2.0  # seconds for the last of them: a stop does not wait for a collector


class Pushing:
    """Sends metrics. Used inside one event loop, in whose thread they are collected.

    Args:
        target: where they go.
        every: seconds from one to the next.
        env: the worker's, which says who we are.
        collect: what there is now.
    """

    def __init__(
        self,
        target: Target,
        every: float,
        env: Mapping[str, str],
        collect: Callable[[], Sequence[Metric]],
    ) -> None:
        self._target = target
        self._every = every
        self._env = env
        self._collect = collect
        self._began = time.time_ns()
        self._send: Callable[[Sequence[Metric], int], bool] | None = None
        self._broken = False  # there is nothing to send with
        self._exports = Exports(log, "metrics", masked("", target.url))
        self._one = threading.Lock()  # is held by who sends

    async def repeat(self) -> None:
        """Send them until cancelled; not while the last ones are still on their way."""
        while True:
            await asyncio.sleep(self._every)
            if not self._one.locked():
                found, now = self._collect(), time.time_ns()
                threading.Thread(target=self._sent, args=(found, now), daemon=True).start()

    def last(self) -> None:
        """Send them once more, and wait for that, but not long."""
        found, now = self._collect(), time.time_ns()
        within(_END_WITHIN, lambda: self._sent(found, now))

    def _sent(self, found: Sequence[Metric], now: int) -> None:
        with self._one:
            if self._send is None and not self._broken:
                self._send = self._made_or_told()
            if self._send is not None:
                self._exports.made(arrived=self._send(found, now))

    def _made_or_told(self) -> Callable[[Sequence[Metric], int], bool] | None:
        try:
            return self._made()
        except Exception as reason:  # noqa: BLE001 - whatever its SDK does not like
            self._broken = True
            why = " ".join(str(reason).split())
            log.error("no metrics are exported: %s", why)  # noqa: TRY400 - a sentence for the user
            return None

    def _made(self) -> Callable[[Sequence[Metric], int], bool]:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics.export import MetricExportResult

        from .points import Points
        from .resource import resource

        points = Points(resource(self._env), self._began)
        exporter = OTLPMetricExporter(endpoint=self._target.url, timeout=self._target.timeout)

        def send(found: Sequence[Metric], now: int) -> bool:
            return exporter.export(points.of(found, now)) is MetricExportResult.SUCCESS

        return send
