"""Loads by their names."""

from __future__ import annotations

import re

import pytest

from bench.load import MARK, TOOK, Load, named

MODEL = Load(1, tokens=100, rate=20)


def test_running_streams_arrive_within_a_second() -> None:
    load = named("300", MODEL)
    assert (load.jobs, load.tokens, load.rate, load.name) == (300, 100, 20, "300")
    assert (load.spread_s, load.at_once, load.streaming) == (1, 0, True)
    assert not load.tls
    assert not load.half_cancelled


def test_a_burst_arrives_at_once() -> None:
    assert named("burst-40", MODEL).spread_s == 0


def test_a_steady_load_has_so_many_streams_at_any_time() -> None:
    """As many begin within the length of one stream as run together."""
    load = named("steady-40", MODEL)
    assert load.jobs / load.spread_s * load.stream_s == pytest.approx(40)
    assert load.spread_s > 2 * load.stream_s


def test_kinds_go_together() -> None:
    load = named("tls-cancelled-burst-7", MODEL)
    assert (load.jobs, load.spread_s, load.tls, load.half_cancelled) == (7, 0, True, True)


@pytest.mark.parametrize("name", ["", "0", "-3", "fast-30", "burst", "30-burst", "3.5", "burst--3"])
def test_what_is_no_load(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        named(name, MODEL)


def test_a_burst_is_not_steady() -> None:
    with pytest.raises(ValueError, match="a burst does not arrive steadily"):
        named("burst-steady-3", MODEL)


def test_a_run_is_given_as_much_time_as_its_jobs_need() -> None:
    assert Load(10, 100, 50).limit_s >= 60 + 2
    assert Load(1000, 100, 50, at_once=10).limit_s >= 60 + 200


def test_marks_are_found_in_text_and_not_mistaken_for_each_other() -> None:
    assert MARK.findall(" ~0:17~ ~1:18~ =5=") == [("0", "17"), ("1", "18")]
    assert TOOK.findall(b'{"content":" ~0:17~ =5="}') == [b"5"]
