"""What nodes send each other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.worker.cluster import wire
from supervisor.worker.cluster.wire import Asked
from supervisor.worker.lifecycle import Doing, Lost, Ordered, Reported, Start, StopAll, Wait

SAID = Reported(
    1, "a", "10.0.0.3", Doing.ENDING, 3, Lost("no room", "memory", True, True), True, "", True
)
ASKED = Asked(SAID, 2, {"vllm": "0.32.0"}, {"order": "wait"})


def test_a_question_arrives_as_it_was_asked() -> None:
    body = json.dumps({**wire.question(ASKED), "seen": ASKED.seen}).encode()
    assert wire.read_question(body, "10.0.0.3") == ASKED


def test_an_engine_that_is_lost_by_an_older_node_was_no_want() -> None:
    lost = {"cause": "no room", "kind": "memory", "final": True}
    body = json.dumps({**wire.question(ASKED), "lost": lost}).encode()
    assert wire.read_question(body, "10.0.0.3").reported.lost == Lost("no room", "memory", True)


@pytest.mark.parametrize("order", [Wait(3), Start(4), StopAll(70, "it broke")])
def test_an_answer_arrives_as_it_was_given(order: Any) -> None:
    ordered = Ordered(order, "READY", (2, 3))
    assert wire.read_answer(json.dumps(wire.answer(ordered)).encode()) == ordered


@pytest.mark.parametrize(
    "changed",
    [
        {"rank": -1},
        {"rank": True},
        {"rank": "1"},
        {"generation": 1 << 40},
        {"doing": "dancing"},
        {"lost": "no room"},
        {"identity": []},
        {"seen": 3},
        {"run": None},
    ],
)
def test_what_is_no_question_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        wire.read_question(json.dumps({**wire.question(ASKED), **changed}).encode(), "10.0.0.3")


@given(body=st.one_of(st.binary(), st.from_regex(rb'[\[\]{}":a-z0-9,]*')))
def test_whatever_arrives_is_read_or_refused(body: bytes) -> None:
    for read in (lambda: wire.read_question(body, "10.0.0.3"), lambda: wire.read_answer(body)):
        with pytest.raises(ValueError, match=r".+"):
            read()


def test_a_cause_is_one_short_line_without_secrets() -> None:
    cause = "bad\nkey\x1b[31m\ud800\u202e " + "x" * 5000
    body = json.dumps({**wire.question(ASKED), "lost": {"cause": cause, "kind": "", "final": 1}})
    lost = wire.read_question(body.encode(), "10.0.0.3").reported.lost
    assert lost is not None
    assert (lost.cause[:15], len(lost.cause), lost.final) == ("bad key?[31m?? ", 2000, False)
    assert lost.cause.isprintable()
    said = Reported(
        1, "a", "", Doing.ENDING, lost=Lost("Authorization: Bearer hf_abcdefghijklmnop")
    )
    lost = wire.without_secrets(said).lost
    assert lost is not None
    assert "hf_abcdefghijklmnop" not in lost.cause
    assert wire.without_secrets(SAID) == SAID


def test_the_order_that_is_not_known_is_refused() -> None:
    body = json.dumps({"order": "dance", "phase": "", "missing": []}).encode()
    with pytest.raises(ValueError, match="order"):
        wire.read_answer(body)
