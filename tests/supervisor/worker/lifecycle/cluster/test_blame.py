"""Whose engine was the first to end, where its end is seen before its cause is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.worker.lifecycle import Action, Doing, Due, Event, Exited, Lost, Phase, Ready
from supervisor.worker.lifecycle.cluster import blame, talk
from tests.supervisor.worker.lifecycle.cluster.test_leading import BEGUN, JOINED, LOST, RUNS, after

ENDS = replace(RUNS, doing=Doing.ENDING)
KILLED = Exited("killed", code=-9)
FINAL = replace(LOST, lost=Lost("a bad flag", "configuration", final=True))
SAID = "rank 1 (10.0.0.3): no room"


def test_a_cause_takes_the_place_of_an_end_that_had_none() -> None:
    state, _ = after(*BEGUN, Ready(), ENDS, KILLED)
    assert state.history.last_failure == blame.words(1, ENDS, talk.UNTOLD)
    for events in ((ENDS, LOST, KILLED), (ENDS, KILLED, LOST), (ENDS, KILLED, LOST, LOST)):
        state, _ = after(*BEGUN, Ready(), *events)
        assert state.history.last_failure == SAID
        assert state.history.engine_ended_by == "out-of-memory"
        state, _ = after(*BEGUN, Ready(), *events, Due())
        assert state.history.restarts_by == {"out-of-memory": 1}


def test_what_our_own_start_was_doing_stays() -> None:
    state, _ = after(*BEGUN, ENDS, replace(KILLED, doing="loading weights"), LOST)
    assert state.history.last_failure == f"{SAID}, still loading weights"


@pytest.mark.parametrize(
    "events", [(ENDS, FINAL, KILLED), (ENDS, KILLED, FINAL), (ENDS, KILLED, Due(), FINAL)]
)
def test_what_cannot_work_elsewhere_is_not_tried_again_however_late_it_is_told(
    events: tuple[Event, ...],
) -> None:
    state, actions = after(*BEGUN, *events)
    assert (state.phase, state.exit_code) == (Phase.FAILED, 78)
    assert state.history.last_failure == "rank 1 (10.0.0.3): a bad flag"
    assert actions == [Action.EXIT]
    state, _ = after(*BEGUN, Ready(), *events)
    assert state.exit_code is None, "it has worked before"


def test_what_is_told_beside_another_cause_is_not_what_ended_all() -> None:
    state, _ = after(*BEGUN, Exited("closed", code=1), FINAL)
    assert state.phase is Phase.RESTARTING


def test_a_cause_that_begins_as_one_that_is_not_known_is_told_once() -> None:
    same = replace(LOST, lost=Lost(f"{talk.UNTOLD.cause} for a reason"))
    state, _ = after(*BEGUN, ENDS, KILLED, same, same, JOINED)
    assert state.history.last_failure == f"rank 1 (10.0.0.3): {talk.UNTOLD.cause} for a reason"
