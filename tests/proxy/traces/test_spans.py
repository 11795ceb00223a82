"""A job becomes one span, whose place in the trace the engine is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from proxy.traces.spans import Spans
from supervisor.settings.otel import Target
from tests.client import PATIENCE
from tests.collector import Collector, attributes, events
from tests.processes import free_port
from tests.threads import no_threads

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
UNSAMPLED = PARENT[:-1] + "0"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as one:
        yield one


def spans(collector: Collector) -> Spans:
    return Spans(Target(f"{collector.url}/v1/traces", 5.0), {"RUNPOD_POD_ID": "w1"})


async def test_what_happens_to_a_job_stands_in_its_span(collector: Collector) -> None:
    traces = spans(collector)
    trace = traces.begin({"id": "a", "input": {}})
    trace.sending(1)
    trace.unsent()  # the engine was not there
    trace.sending(1)
    trace.again("ConnectionLost")
    trace.sending(2)
    trace.first()
    for _ in range(300):
        trace.posted(100)
    trace.refused("status 503")
    trace.lost("status 503")
    asked = {"model": "m", "messages": ["secret"]}
    trace.done("/v1/chat/completions", asked, 7)
    trace.failed(500, "worker_error")
    traces.end("a")
    await traces.close()
    [span] = collector.spans()
    assert events(span) == [
        *("sent", "engine lost", "sent", "first output", "first post"),
        *("post refused", "post lost"),
    ]
    assert span.name == "job chat"
    assert (span.status.code, span.status.message) == (2, "worker_error")
    assert attributes(span.attributes) == {
        "runpod.job.id": "a",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.usage.output_tokens": 7,
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 500,
        "error.type": "worker_error",
        "vllm_supervisor.posts": 300,
        "vllm_supervisor.posted_bytes": 30_000,
    }
    assert collector.resources()[0]["service.instance.id"] == "w1"


async def test_what_no_engine_took_was_not_sent(collector: Collector) -> None:
    traces = spans(collector)
    trace = traces.begin({"id": "a", "input": {}})
    trace.sending(1)
    trace.unsent()
    trace.done("/v1/completions", {}, None)
    trace.cancelled()
    traces.end("a")
    await traces.close()
    [span] = collector.spans()
    assert events(span) == ["cancelled"]


async def test_no_caller_makes_a_span_large_or_keeps_a_batch_from_being_sent(
    collector: Collector,
) -> None:
    """A batch has the spans of many callers, and a collector takes or refuses it as a whole."""
    traces = spans(collector)
    long, half = 300_000 * "x", "\ud800"
    for number, text in enumerate((long, half, "an/ordinary-model")):
        trace = traces.begin({"id": f"{number}{text}", "input": {}})
        for told in (trace.again, trace.refused, trace.lost):
            told(text)
        trace.done(f"/v1/{text}", {"model": text}, None)
        trace.failed(404, text)
        traces.end(f"{number}{text}")
    await traces.close()
    found = collector.spans()
    assert [attributes(each.attributes)["gen_ai.request.model"] for each in found] == [
        256 * "x" + "...",
        "\\ud800",
        "an/ordinary-model",
    ]
    assert all(each.ByteSize() < 4000 for each in found)


async def test_two_jobs_share_a_trace_only_where_their_callers_say_so(
    collector: Collector,
) -> None:
    traces = spans(collector)
    headers = []
    for number, given in enumerate(({}, {}, {"traceparent": PARENT}, {"traceparent": PARENT})):
        headers.append(traces.begin({"id": str(number), "input": given}).headers(1))
    ids = [each["traceparent"].split("-")[1] for each in headers]
    assert len(set(ids)) == 3
    assert ids[2:] == [TRACE, TRACE]
    for number in range(4):
        traces.end(str(number))
    await traces.close()
    assert [span.trace_id.hex() for span in collector.spans()] == ids


async def test_a_caller_who_records_nothing_is_followed_in_that(collector: Collector) -> None:
    traces = spans(collector)
    trace = traces.begin({"id": "a", "input": {"traceparent": UNSAMPLED}})
    _, where, _, flags = trace.headers(1)["traceparent"].split("-")
    assert (where, flags) == (TRACE, "00")
    trace.first()
    traces.end("a")
    await traces.close()
    assert collector.spans() == []


async def test_a_collector_that_hangs_does_not_hold_up_the_end(collector: Collector) -> None:
    collector.open.clear()
    traces = spans(collector)
    traces.begin({"id": "a", "input": {}})
    traces.end("a")
    await traces.close()
    assert collector.spans() == []


async def lost(url: str, caplog: pytest.LogCaptureFixture) -> str:
    """What is said of the spans that go there."""
    traces = Spans(Target(url, 1.5), {})
    traces.begin({"id": "a", "input": {}})
    traces.end("a")
    await traces.close()  # which waits for the last of them, but not long
    async with asyncio.timeout(PATIENCE):
        while not caplog.records:
            await asyncio.sleep(0.01)
    [line] = [each.getMessage() for each in caplog.records if each.name == "proxy"]
    before, _, why = line.partition(" takes them: ")
    assert before == f"the traces are lost until {url}"
    return why


@pytest.mark.parametrize("status", [301, 302, 308])
async def test_a_collector_that_redirects_is_told_of_with_the_address(
    collector: Collector, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """The SDK takes that for a success, and follows it nowhere."""
    collector.status, collector.location = status, "/otlp/v1/traces"
    why = await lost(f"{collector.url}/v1/traces", caplog)
    assert why == f"it redirects to {collector.url}/otlp/v1/traces; set that address"


async def test_the_line_about_a_collector_that_is_away_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    why = await lost(f"http://127.0.0.1:{free_port()}/v1/traces", caplog)
    assert why == "Connection refused"


async def test_an_end_without_threads_is_an_end(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    traces = spans(collector)
    traces.begin({"id": "a", "input": {}})
    traces.end("a")
    with no_threads():
        await traces.close()
    [line] = [each.getMessage() for each in caplog.records if each.name == "proxy"]
    assert "the traces are lost until" in line
    assert "no more threads are allowed here" in line
