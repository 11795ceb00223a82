"""The last quarter of an hour in figures."""

from __future__ import annotations

from supervisor.worker.page.samples import EVERY, Reading, Sample, Samples


def test_what_counts_becomes_a_rate_and_a_mean() -> None:
    samples = Samples()
    samples.take(Reading(2, 1, 100, 4, 1.0, 0.25), 1000)
    samples.take(Reading(3, 0, 150, 6, 1.5, 0.5), 1005)
    assert samples.since(0) == [
        Sample(1000, 2, 1, None, None, 0.25),
        Sample(1005, 3, 0, 10.0, 0.25, 0.5),
    ]
    assert samples.since(1000) == samples.since(0)[1:]


def test_what_is_not_known_stays_so() -> None:
    samples = Samples()
    for second in (0, 5):
        samples.take(Reading(), 1000 + second)
    assert samples.since(0)[-1] == Sample(1005, None, None, None, None, None)


def test_where_no_answer_began_there_is_no_wait() -> None:
    samples = Samples()
    for second in (0, 5):
        samples.take(Reading(tokens=7, first_tokens=3, first_seconds=1.0), 1000 + second)
    assert samples.since(1000) == [Sample(1005, None, None, 0.0, None, None)]


def test_counts_that_begin_anew_with_an_engine_are_no_fall() -> None:
    samples = Samples()
    samples.take(Reading(tokens=1000, first_tokens=10, first_seconds=9.0), 1000)
    samples.take(Reading(tokens=50, first_tokens=2, first_seconds=0.5), 1005)
    assert samples.since(1000) == [Sample(1005, None, None, 10.0, 0.25, None)]


def test_across_a_freeze_and_a_clock_that_was_set_nothing_is_reckoned() -> None:
    for later in (1600, 990):
        samples = Samples()
        samples.take(Reading(tokens=0), 1000)
        samples.take(Reading(tokens=1000), later)
        assert samples.since(0)[-1].speed is None


def test_a_quarter_of_an_hour_is_kept() -> None:
    samples = Samples()
    for number in range(1000):
        samples.take(Reading(), 1000 + number * EVERY)
    assert len(samples.since(0)) == 900 / EVERY
