"""The body of `/status`: what the one end writes is what the other one reads."""

from __future__ import annotations

import pytest

from supervisor.link.standing import Standing


def test_a_body() -> None:
    body = {"state": "READY", "last_failure": "boom", "restarts": 2, "engine_pid": 7, "x": 1}
    assert Standing.read(body) == Standing("READY", last_failure="boom", restarts=2, engine_pid=7)


def test_what_is_written_is_read() -> None:
    written = Standing("READY", engine_pid=7, restarts=2, last_failure="boom")
    assert Standing.read(written.as_json()) == written


def test_a_body_of_another_version() -> None:
    assert Standing.read({}) == Standing()
    assert Standing.read({"restarts": None}).restarts == 0


@pytest.mark.parametrize(
    ("state", "over"),
    [
        ("STARTING", False),
        ("READY", False),
        ("RESTARTING", False),
        ("DRAINING", True),
        ("STOPPED", True),
        ("FAILED", True),
    ],
)
def test_which_states_bring_no_engine_back(state: str, over: bool) -> None:
    assert Standing(state).over is over


def test_words_have_the_cause_where_one_is_known() -> None:
    assert Standing("FAILED").words == "the worker has given up"
    assert Standing("FAILED", last_failure="boom").words == "the worker has given up: boom"
    assert Standing().words == "the engine cannot be reached"
