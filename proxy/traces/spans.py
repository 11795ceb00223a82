"""A job as a span of OpenTelemetry's, with the engine's own spans beneath it.

Importing this costs a third of a second: only where traces are exported.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opentelemetry.context import Context as Surroundings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from proxy import excerpt
from proxy.traces.context import Context
from proxy.traces.trace import Trace, Traces
from supervisor.machine.threads import in_thread
from supervisor.secrets import masked
from supervisor.settings.otel import Signal, Target
from supervisor.telemetry.exporting import Exports
from supervisor.telemetry.resource import resource
from supervisor.telemetry.transport import session

log = logging.getLogger("proxy")

_ROUTES = {  # what OpenTelemetry's conventions for generative AI call them
    "/v1/chat/completions": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "chat",
    "/v1/messages": "chat",
}
#: Characters of a text in a span. Jobs share a batch, which collectors refuse as a whole above some
#: MiB, or which cannot be encoded as a whole for half a character.
_TEXT_MOST = 256
_PROPAGATOR = TraceContextTextMapPropagator()


class Spans(Traces):
    """A span for each job.

    Args:
        target: where they go.
        env: says who we are; the SDK reads the rest of its variables from the process's own.
        inherited: as for `Traces`.
    """

    def __init__(
        self, target: Target, env: Mapping[str, str], inherited: Iterable[str] = ()
    ) -> None:
        super().__init__(inherited)
        # Hears the library from here on.
        self._exports = exports = Exports(log, "traces", masked("", target.url))
        exporter = OTLPSpanExporter(
            endpoint=target.url,
            timeout=target.timeout,
            session=session(Signal.TRACES, exports.note),
        )
        self._provider = TracerProvider(resource=resource(env), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_Told(exporter, exports)))
        self._tracer = self._provider.get_tracer("vllm-supervisor")

    async def close(self) -> None:
        """See `Traces`."""
        async with self._exports.ending():
            await in_thread(self._provider.shutdown)

    def _made(self, job: str, caller: Context | None, before: int) -> Trace:
        # Nothing that surrounds this: two jobs share a trace only where their callers say so.
        around = Surroundings()
        if caller is not None:
            around = _PROPAGATOR.extract(caller.headers, around)
        span = self._tracer.start_span(
            "job", context=around, kind=SpanKind.CONSUMER, attributes={"runpod.job.id": _text(job)}
        )
        return _Spanned(job, caller, before, span)


class _Spanned(Trace):
    """A job with a span; its events' names are in docs/operations.md."""

    def __init__(self, job: str, caller: Context | None, before: int, span: Span) -> None:
        super().__init__(job, caller, before)
        self._span = span
        self._sent: tuple[int, int] | None = None  # number, ns: not said yet
        self._posts = self._bytes = 0

    def _context(self) -> dict[str, str]:
        around = self._span.get_span_context()
        parent = f"00-{around.trace_id:032x}-{around.span_id:016x}-{around.trace_flags:02x}"
        return Context(parent, around.trace_state.to_header()).headers

    def sending(self, number: int) -> None:
        """Said once it is certain."""
        self._sent = self._before + number, time.time_ns()

    def unsent(self) -> None:
        """See `Trace`."""
        self._sent = None

    def again(self, why: str) -> None:
        """See `Trace`."""
        self._say_sent()
        self._span.add_event("engine lost", {"error.type": _text(why)})

    def first(self) -> None:
        """See `Trace`."""
        self._say_sent()
        self._span.add_event("first output")

    def posted(self, body: int) -> None:
        """Each is counted; a span holds only so many events."""
        if not self._posts:
            self._span.add_event("first post")
        self._posts += 1
        self._bytes += body

    def refused(self, why: str) -> None:
        """See `Trace`."""
        self._span.add_event("post refused", {"error.message": _text(why)})

    def lost(self, why: str) -> None:
        """See `Trace`."""
        self._span.add_event("post lost", {"error.message": _text(why)})

    def done(self, route: str, asked: Mapping[str, Any], tokens: int | None) -> None:
        """See `Trace`."""
        self._say_sent()
        name = _ROUTES.get(route)
        model = asked.get("model")
        known = {
            "gen_ai.operation.name": name,
            "gen_ai.request.model": _text(model) if isinstance(model, str) else None,
            "gen_ai.usage.output_tokens": tokens,
            "http.route": _text(route),
        }
        for key, value in known.items():
            if value is not None:
                self._span.set_attribute(key, value)
        if name is not None:
            self._span.update_name(f"job {name}")

    def failed(self, status: int, kind: str) -> None:
        """See `Trace`. What an error says may be a caller's own words."""
        self._span.set_attribute("http.response.status_code", status)
        self._span.set_attribute("error.type", _text(kind))
        self._span.set_status(Status(StatusCode.ERROR, _text(kind)))

    def cancelled(self) -> None:
        """See `Trace`."""
        self._span.add_event("cancelled")

    def end(self) -> None:
        """See `Trace`."""
        self._span.set_attribute("vllm_supervisor.posts", self._posts)
        self._span.set_attribute("vllm_supervisor.posted_bytes", self._bytes)
        self._span.end()

    def _say_sent(self) -> None:
        if self._sent is not None:
            number, when = self._sent
            self._span.add_event("sent", {"vllm_supervisor.sending": number}, when)
            self._sent = None


class _Told(SpanExporter):
    """An exporter, and who is told how it fares."""

    def __init__(self, exporter: SpanExporter, exports: Exports) -> None:
        self._exporter = exporter
        self._exports = exports

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See SpanExporter."""
        try:
            result = self._exporter.export(spans)
        except Exception as fault:  # noqa: BLE001 - the library's log, which hears of it, is not shown
            self._exports.failed(fault)
            return SpanExportResult.FAILURE
        self._exports.made(arrived=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """See SpanExporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See SpanExporter."""
        return self._exporter.force_flush(timeout_millis)


def _text(written: str) -> str:
    """As much as a span takes of what somebody else may have written."""
    return excerpt.text(written, _TEXT_MOST)
