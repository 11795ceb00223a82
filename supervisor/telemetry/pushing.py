"""Sends what a registry of Prometheus' shows to a collector, again and again.

OpenTelemetry is imported by the thread that sends: the first time takes half a second of CPU.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..machine.threads import begin, in_thread
from ..secrets import masked
from ..settings.otel import Signal, Target
from .exporting import Exports

if TYPE_CHECKING:
    from prometheus_client import Metric

log = logging.getLogger("supervisor")


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
            if self._one.locked():
                continue
            try:
                begin(self._sending())
            except Exception as fault:  # noqa: BLE001 - whatever it is, the engine serves
                self._exports.failed(fault)

    async def last(self) -> None:
        """Send them once more, and wait for that, but not long."""
        async with self._exports.ending():
            await in_thread(self._sending())

    def _sending(self) -> Callable[[], None]:
        """What sends those that there are now."""
        return partial(self._sent, self._collect(), time.time_ns())

    def _sent(self, found: Sequence[Metric], now: int) -> None:
        with self._one:
            if self._send is None and not self._broken:
                self._send = self._made_or_told()
            if self._send is None:
                return
            try:
                self._exports.made(arrived=self._send(found, now))
            except Exception as fault:  # noqa: BLE001 - it would be a traceback for each of them
                self._exports.failed(fault)

    def _made_or_told(self) -> Callable[[Sequence[Metric], int], bool] | None:
        try:
            return self._made()
        except OSError as reason:  # perhaps no descriptor is left to import by: the next one tries
            self._exports.failed(reason)
            return None
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
        from .transport import session

        points = Points(resource(self._env), self._began)
        exporter = OTLPMetricExporter(
            endpoint=self._target.url,
            timeout=self._target.timeout,
            session=session(Signal.METRICS, self._exports.note),
        )

        def send(found: Sequence[Metric], now: int) -> bool:
            return exporter.export(points.of(found, now)) is MetricExportResult.SUCCESS

        return send
