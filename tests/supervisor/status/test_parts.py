"""The parts of a start as a chart."""

from __future__ import annotations

import pytest

from supervisor.status.parts import Part, Times

PHASES = dict.fromkeys(["spawn", "imports", "download", "weights", "server"], 1.0)


def test_what_ran_beside_something_else_stands_beside_it() -> None:
    found = [
        Part("imports", 0.0, 30.0),
        Part("prefetch", 0.0, 20.0),
        Part("weights", 30.0, 20.0),
        Part("server", 50.0, 0.1),
    ]
    assert Times(PHASES, found).chart(25) == [
        "imports    30.0 s ###############",
        "prefetch   20.0 s ==========",
        "weights    20.0 s                ##########",
        "server      0.1 s                         .",
        "in all     50.1 s",
    ]
    assert Times(PHASES, found).chart() == [
        "imports    30.0 s #######",
        "prefetch   20.0 s =====",
        "weights    20.0 s        #####",
        "server      0.1 s            .",
        "in all     50.1 s",
    ]


def test_a_part_that_was_interrupted_has_one_line() -> None:
    found = [Part("imports", 0, 5), Part("download", 5, 10), Part("imports", 15, 10)]
    assert Times(PHASES, found).chart(25) == [
        "imports    15.0 s #####          ##########",
        "download   10.0 s      ##########",
        "in all     25.0 s",
    ]


def test_a_line_of_the_log_has_80_columns() -> None:
    found = [Part("a-very-long-name", 0.0, 9_999.0), Part("b", 12.0, 9_987.0)]
    before = "2026-11-26T12:00:00+00:00 INFO supervisor: start: "
    assert max(len(before + line) for line in Times({}, found).chart()) == 80


@pytest.mark.parametrize("found", [[], [Part("imports", 0.0, 0.0)]])
def test_a_start_that_took_no_time(found: list[Part]) -> None:
    assert Times(PHASES, found).chart()[-1] == "in all      0.0 s"


def test_what_status_says_is_read_again() -> None:
    times = Times({"imports": 2.0001}, [Part("imports", 0.1, 2.0001)]).rounded()
    assert times == Times({"imports": 2.0}, [Part("imports", 0.1, 2.0)])
    start = [{"name": "imports", "begin": 0.1, "seconds": 2}]
    assert Times.read({"phases": {"imports": 2}, "start": start}) == times
    assert Times.read({"phases": {"imports": 2}}) == Times({"imports": 2.0}, [])
    with pytest.raises(KeyError):
        Times.read({"phases": {}, "start": [{"name": "imports"}]})
