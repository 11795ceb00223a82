"""What the proxy reads of the body of `/status`."""

from __future__ import annotations

import pytest

from supervisor.link.standing import Standing


def test_a_body() -> None:
    body = {"state": "READY", "last_failure": "boom", "restarts": 2, "engine_pid": 7, "x": 1}
    assert Standing.read(body) == Standing("READY", "boom", 2, 7)


def test_a_body_of_another_version() -> None:
    assert Standing.read({}) == Standing("", None, 0, None)
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
    assert Standing(state, None, 0, None).over is over


def test_words_have_the_cause_where_one_is_known() -> None:
    assert Standing("FAILED", None, 0, None).words == "the worker has given up"
    assert Standing("FAILED", "boom", 0, None).words == "the worker has given up: boom"
    assert Standing("", None, 0, None).words == "the engine cannot be reached"
