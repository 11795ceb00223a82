"""The line of the log for one job."""

from __future__ import annotations

from proxy.job_log import Record


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_the_line_has_what_is_known() -> None:
    clock = Clock()
    record = Record("a", clock)
    clock.now += 0.25
    record.yielded("one")
    clock.now += 1
    record.yielded("two")
    record.route, record.tokens = "/v1/completions", 7
    expected = "job a: /v1/completions 200, 7 tokens, first after 0.250 s, 1.250 s in all"
    assert str(record) == expected


def test_a_job_that_failed_before_any_output() -> None:
    record = Record("a", Clock())
    record.outcome = "400 invalid_request_error"
    assert str(record) == "job a: - 400 invalid_request_error, 0.000 s in all"


def test_what_was_said_is_kept_on_demand_alone() -> None:
    for keep, expected in ((True, 'was answered one{"c": 1}'), (False, "was answered ")):
        record = Record("a", Clock(), keep=keep)
        record.asked = {"prompt": "ö"}
        record.yielded("one")
        record.yielded({"c": 1})
        assert record.content() == f'job a asked {{"prompt": "ö"}} and {expected}'


def test_what_was_said_is_cut_off_somewhere() -> None:
    record = Record("a", Clock(), keep=True)
    record.asked = {"prompt": "x" * 1_000_000}
    record.yielded("y" * 1_000_000)
    assert len(record.content()) < 50_000
