"""An OpenTelemetry collector for tests: it takes OTLP by HTTP, and keeps what it reads."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_REQUESTS: dict[str, type[Any]] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
}


class Collector:
    """Takes what is sent to `url`, with status `status`, once `open` is set.

    With a status of its own it takes nothing; `location` is a header of such an answer.
    """

    def __init__(self, status: int = 200, location: str = "") -> None:
        self.status = status
        self.location = location
        self.open = threading.Event()
        self.open.set()
        self.asked = 0
        self.headers: list[dict[str, str]] = []
        self._got: list[tuple[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()

    def spans(self, service: str = "vllm-supervisor") -> list[Span]:
        """Those that came from a service of this name."""
        found = []
        for _, request in self._of("/v1/traces"):
            for each in request.resource_spans:
                if attributes(each.resource.attributes)["service.name"] == service:
                    found += [span for scope in each.scope_spans for span in scope.spans]
        return found

    def of_job(self, job: str) -> list[Span]:
        """The spans of a job."""
        return [
            each for each in self.spans() if attributes(each.attributes)["runpod.job.id"] == job
        ]

    def metrics(self) -> list[dict[str, Metric]]:
        """By name, for each time that they came."""
        return [
            {
                metric.name: metric
                for each in request.resource_metrics
                for scope in each.scope_metrics
                for metric in scope.metrics
            }
            for _, request in self._of("/v1/metrics")
        ]

    def resources(self, path: str = "/v1/traces") -> list[dict[str, Any]]:
        """Who sent each request of spans, or of what else came there."""
        return [
            attributes(each.resource.attributes)
            for _, request in self._of(path)
            for each in (
                request.resource_spans if path == "/v1/traces" else request.resource_metrics
            )
        ]

    def _of(self, path: str) -> Iterator[tuple[str, Any]]:
        return (got for got in list(self._got) if got[0] == path)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.asked += 1
                collector.open.wait()
                if collector.status == 200:
                    if self.headers.get("Content-Encoding") == "gzip":
                        body = gzip.decompress(body)
                    collector.headers.append(dict(self.headers))
                    collector._got.append((self.path, _REQUESTS[self.path].FromString(body)))
                self.send_response(collector.status)
                if collector.location:
                    self.send_header("Location", collector.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                pass

        return Handler


def attributes(pairs: Any) -> dict[str, Any]:
    """Attributes as a dictionary."""
    return {pair.key: _value(pair.value) for pair in _typed(pairs)}


def events(span: Span) -> list[str]:
    """The names of a span's events, in their order."""
    return [event.name for event in span.events]


def _typed(pairs: Any) -> list[KeyValue]:
    return list(pairs)


def _value(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")
