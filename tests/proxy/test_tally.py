"""What of a job is counted; whole jobs in test_handler.py and tests/test_metrics.py."""

from __future__ import annotations

import pytest

from proxy import tally
from proxy.errors import InvalidInput, WorkerStopped
from proxy.job_log import Record
from proxy.tally import Tally
from supervisor.link.figures import CANCELLED, FAILED, REFUSED, Figures


class Counting:
    """A tally, and a clock for its jobs."""

    def __init__(self, *routes: str, own: frozenset[str] = frozenset()) -> None:
        self.now = 100.0
        self.figures = Figures()
        self.tally = Tally(self.figures, frozenset(routes), own)

    def job(self, route: str = "/v1/completions", *, streams: bool = False) -> Record:
        record = Record("a", lambda: self.now)
        record.route, record.streams = route, streams
        self.tally.began()
        return record


def test_each_job_ends_once_in_one_way() -> None:
    counting = Counting()
    for ended in (None, REFUSED, FAILED, CANCELLED, None):
        record = counting.job()
        record.ended = ended
        counting.tally.ended(record)
    figures = counting.figures
    assert figures.jobs == 0
    assert (figures.answered, figures.failed, figures.cancelled) == (2, 2, 1)
    assert figures.ended == {
        "answered /v1/completions": 2,
        "refused /v1/completions": 1,
        "failed /v1/completions": 1,
        "cancelled /v1/completions": 1,
    }
    assert figures.duration.count == 5


def test_a_job_that_no_handler_sees_is_counted_by_its_error() -> None:
    figures = Figures()
    for reason in (InvalidInput("no JSON"), WorkerStopped("late")):
        tally.count(figures, tally.outcome(reason))
    assert figures.ended == {"refused other": 1, "failed other": 1}
    assert figures.failed == 2


def test_a_route_with_a_part_of_the_callers_counts_as_other() -> None:
    counting = Counting("/sleep")
    for route in ("/v1/models", "/sleep", "/v1/models/abc", "/v1/responses/resp_1", "-"):
        counting.tally.ended(counting.job(route))
    assert counting.figures.ended == {
        "answered /v1/models": 1,
        "answered /sleep": 1,
        "answered other": 3,
    }


def test_what_the_worker_answers_itself_is_no_work() -> None:
    """Who asks often how it stands would make failures rare, and jobs quick."""
    counting = Counting("/worker/status", own=frozenset({"/worker/status"}))
    for ended in (None, FAILED, CANCELLED):
        record = counting.job("/worker/status")
        assert counting.figures.jobs == 1
        record.ended = ended
        counting.tally.ended(record)
    assert counting.figures == Figures()


@pytest.mark.parametrize("outputs", [0, 1, 2])
def test_the_wait_ends_when_a_job_is_first_sent_to_an_engine_that_is_there(outputs: int) -> None:
    counting = Counting()
    record = counting.job()
    record.sending(1)
    record.unsent(1)
    counting.now += 2.0
    record.sending(1)
    counting.now += 9.0
    record.sending(2)  # it was lost
    record.unsent(2)
    assert counting.figures.wait.count == 0
    for _ in range(outputs):
        counting.tally.output(record)
        record.yielded("x")
        assert counting.figures.wait.count == 1
    counting.tally.ended(record)
    assert (counting.figures.wait.count, counting.figures.wait.total) == (1, 2.0)


def test_a_job_that_no_engine_took_has_no_wait() -> None:
    counting = Counting()
    record = counting.job()
    record.sending(1)
    record.unsent(1)
    counting.now += 2.0
    counting.tally.ended(record)
    assert counting.figures.wait.count == 0
    assert record.line()[1]["wait_s"] is None


def test_first_tokens_and_the_time_between_tokens_are_those_of_streams() -> None:
    counting = Counting()
    record = counting.job(streams=True)
    for seconds, tokens in ((3.0, 2), (1.0, 6), (1.0, 10)):
        counting.now += seconds
        record.streamed(tokens, [])
        counting.tally.output(record)
        record.yielded("x")
    counting.now += 50.0
    counting.tally.ended(record)
    whole = counting.job()
    whole.tokens = 4
    counting.tally.output(whole)
    whole.yielded("x")
    counting.tally.ended(whole)
    figures = counting.figures
    assert (figures.first_token.count, figures.first_token.total) == (1, 3.0)
    assert (figures.per_token.count, figures.per_token.total) == (1, 2.0 / 8)
    assert (figures.output_tokens.count, figures.output_tokens.total) == (2, 14)
    assert (figures.duration.count, figures.duration.total) == (2, 55.0)
    assert figures.batches == 4


def test_the_news_of_a_failure_is_no_first_token() -> None:
    counting = Counting()
    record = counting.job(streams=True)
    record.ended = FAILED
    counting.tally.output(record)
    record.yielded("the error")
    counting.tally.ended(record)
    assert counting.figures.first_token.count == 0
    assert counting.figures.per_token.count == 0
