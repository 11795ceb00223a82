"""The engine knows a job by its id and the number of its sending."""

from __future__ import annotations

import pytest

from proxy.traces.trace import Trace, Traces

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("a1b2-u1", "a1b2-u1-1"),
        ("a\r\nX-Evil: \N{SNOWMAN}", "a__X-Evil:__-1"),
        ("x" * 300, "x" * 128 + "-1"),
    ],
)
def test_the_id_of_a_request(job: str, said: str) -> None:
    assert Trace(job, None).headers(1) == {"X-Request-Id": said}


async def test_a_callers_trace_goes_on_to_the_engine() -> None:
    traces = Traces()
    job = {"id": "a", "input": {"traceparent": PARENT}}
    trace = traces.begin(job)
    assert traces.of(job) is trace
    assert trace.headers(2) == {"X-Request-Id": "a-2", "traceparent": PARENT}
    traces.end("a")
    assert traces.of(job) is not trace  # nobody has taken it up
    assert traces.of(job).headers(1)["traceparent"] == PARENT
    await traces.close()


def test_a_job_that_another_proxy_may_have_sent_is_not_sent_under_the_same_id() -> None:
    traces = Traces(["left"])
    assert traces.begin({"id": "left"}).headers(1) == {"X-Request-Id": "left-2"}
    assert traces.begin({"id": "new"}).headers(1) == {"X-Request-Id": "new-1"}
