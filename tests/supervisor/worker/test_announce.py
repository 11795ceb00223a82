"""What the log says: each cause once, in words that a user can act on."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.command.plan import make
from supervisor.status.parts import Part, Times
from supervisor.worker import announce, lifecycle
from supervisor.worker.lifecycle import (
    CannotFit,
    Due,
    Ended,
    Event,
    Exited,
    Policy,
    Probed,
    ProxyExited,
    Ready,
    Stalled,
    Stop,
)
from tests.supervisor.worker.lifecycle.story import steps
from tests.supervisor.worker.lifecycle.test_step import HISTORIES

POLICY = Policy(startup_timeout=100, drain_timeout=60, max_restarts=1)
CRASH = Exited("it broke; mend it", code=1)

STALLED = "restarting the engine: requests ran, and for 300 s the engine gave no token to any"
LATE = (
    "restarting the engine in 1.0 s (failure 1 of at most 1): the engine was not ready after"
    " 100 s, still importing"
)

CRASHED = "restarting the engine in 1.0 s (failure 1 of at most 1, exit code 1): it broke; mend it"

EXCUSED = (
    "restarting the engine in 1.0 s (no failure of its own: one job, alone in it, had ended engines"
    " before, exit code 1): it broke; mend it"
)


def log(*events: Event, proxy: bool = False, policy: Policy = POLICY) -> list[str]:
    """The lines about all these events, one second apart."""
    state, _ = lifecycle.begin(policy, 0.0, proxy=proxy)
    return [
        line
        for before, event, after, _, now in steps(state, events, policy)
        for _, line in announce.lines(before, event, after, policy, now)
    ]


@pytest.mark.parametrize(
    ("events", "lines"),
    [
        ((Ready(2.5),), ["ready after 2.5 s"]),
        (
            (Ready(2.5), Ended(), CRASH),
            [
                "ready after 2.5 s",
                CRASHED,
            ],
        ),
        (
            (CRASH, Due(), CRASH),
            [
                CRASHED,
                "giving up with exit code 70: it broke; mend it",
            ],
        ),
        (
            (Ready(2.5), Ended(), replace(CRASH, excused=True)),
            ["ready after 2.5 s", EXCUSED],
        ),
        (
            (Ready(2.5), CRASH, Due(), Exited("Too many open files", wanting=True)),
            [
                "ready after 2.5 s",
                CRASHED,
                "restarting the engine in 5.0 s (no failure of its own): Too many open files",
            ],
        ),
        (
            (Ready(1.0), Stalled(300.0), Exited("killed")),
            [
                "ready after 1.0 s",
                STALLED,
                "restarting the engine in 1.0 s (failure 1 of at most 1)",
            ],
        ),
        (
            (Due(), Exited("killed", doing="importing")),
            [
                LATE,
            ],
        ),
        (
            (Ready(1.0), Probed(healthy=False, sick=True), Ended(), CRASH),
            [
                "ready after 1.0 s",
                "the engine says that it is dead",
                CRASHED,
            ],
        ),
        (
            (CannotFit("too large; use more"), Ended(), Exited("killed", doing="importing")),
            ["giving up with exit code 78: too large; use more"],
        ),
        ((Stop(), Exited("killed")), ["stopping", "stopped"]),
    ],
)
def test_a_cause_is_said_once(events: tuple[Event, ...], lines: list[str]) -> None:
    assert log(*events) == lines


def test_the_engines_own_words_stand_in_the_log_beside_the_cause() -> None:
    """Nowhere else: others read the cause, too."""
    (line,) = log(replace(CRASH, said="ValueError: odd"))
    assert line.endswith(": it broke; mend it (it said: ValueError: odd)")
    (line,) = log(replace(CRASH, said="ValueError: odd", final=True))
    assert line == "giving up with exit code 78: it broke; mend it (it said: ValueError: odd)"


def test_the_proxys_end_is_told_with_its_jobs() -> None:
    dies = ProxyExited(-9, jobs=3)
    assert log(dies, proxy=True) == [
        "restarting the proxy in 1.0 s: it ended with code -9 and 3 jobs in hand"
    ]
    assert log(Ready(1.0), Stop(), dies, proxy=True)[2:] == [
        "the proxy ended with code -9 and 3 jobs in hand"
    ]
    assert log(ProxyExited(None, "Too many open files"), proxy=True) == [
        "restarting the proxy in 1.0 s: it could not be started: Too many open files"
    ]
    unfit = ProxyExited(1, "no GPU")
    assert log(unfit, proxy=True) == ["giving up with exit code 1: no GPU"]


def test_an_end_as_it_should_be_is_no_line() -> None:
    said = log(Ready(1.0), Stop(), ProxyExited(0), Exited("ended"), proxy=True)
    assert said == ["ready after 1.0 s", "stopping: jobs in hand have 60 s", "stopped"]


def test_a_user_is_told_what_to_try() -> None:
    line = announce.how_to_use(8000, "tiny")
    curl, header, body = shlex.split(line.removeprefix("try: "))[1::2]
    assert curl == "http://localhost:8000/v1/chat/completions"
    assert header == "Content-Type: application/json"
    assert json.loads(body)["model"] == "tiny"
    assert announce.how_to_use(8000, None) == "try: curl http://localhost:8000/v1/models"
    keyed = shlex.split(announce.how_to_use(8000, "tiny", keyed=True))
    assert keyed[3:5] == ["-H", "Authorization: Bearer KEY"]


def test_what_the_kernel_killed_for_memory_is_told_also_after_our_kill() -> None:
    killed = Exited("memory ran out", "out-of-memory", code=-9, out_of_memory=True)
    assert log(Ready(1.0), Stalled(300.0), killed)[2] == (
        "restarting the engine in 1.0 s (failure 1 of at most 1, exit code -9): memory ran out"
    )


def test_what_cannot_be_killed_is_told_with_what_came_before() -> None:
    (line,) = log(Exited("it broke", left=True))
    assert line.startswith("giving up with exit code 1: the engine's processes cannot be killed")
    assert line.endswith("it broke")


@given(events=HISTORIES, proxy=st.booleans())
def test_no_sequence_of_events_says_an_end_of_the_engine_twice(
    events: list[Event], proxy: bool
) -> None:
    """Whatever else happens in a back-off, or while something is killed."""
    said = log(*events, proxy=proxy)
    ends = sum(isinstance(event, Exited) for event in events)
    kills = sum("restarting the engine: " in line for line in said)
    backing_off = sum("restarting the engine in " in line for line in said)
    assert backing_off <= ends
    assert kills <= sum(isinstance(event, Stalled | Probed | Due) for event in events)
    assert sum("giving up" in line for line in said) <= 1


def test_a_stop_tells_the_time_that_there_is() -> None:
    """None for an engine that is not ready; what the proxy has to tell its jobs takes little."""
    assert log(Stop(), proxy=True) == ["stopping: jobs in hand have 10 s"]
    assert log(Ready(1.0), Stop())[1:] == ["stopping: jobs in hand have 60 s"]
    own = replace(POLICY, engine_drains_itself=True)
    assert log(Ready(1.0), Stop(), policy=own)[1:] == ["stopping: requests in hand have 60 s"]


def test_a_start_is_told_with_a_remedy_for_its_longest_part() -> None:
    plan = make({"MODEL_NAME": "org/m"}, None)
    times = Times({"imports": 3.0}, [Part("imports", 0.0, 3.0), Part("weights", 3.0, 1.0)])
    *lines, remedy = announce.start(times, plan)
    assert lines[0].startswith("start: imports     3.0 s ####")
    assert lines[-1] == "start: in all      4.0 s"
    assert remedy.startswith("start: longest: imports, 3.0 of 4.0 s; ")
