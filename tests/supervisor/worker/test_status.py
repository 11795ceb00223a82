"""What is told of the worker: to the platform, to programs, to Prometheus."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from supervisor.link.figures import Figures
from supervisor.status.parts import Part, Times
from supervisor.worker.lifecycle import (
    Awaiting,
    Doing,
    DrainingJobs,
    ExitCode,
    Finished,
    Following,
    History,
    JobTaken,
    Leading,
    NoEngine,
    NoProxy,
    Phase,
    Ready,
    Serving,
    Starting,
    State,
)
from supervisor.worker.lifecycle.group import Node
from supervisor.worker.status import Status

NONE = NoProxy()
READY = State(Serving(1.0), NONE, history=History(was_ready=True, restarts=2))
STARTING = State(Starting(9.0), NONE)
RESTARTING = State(Starting(9.0), NONE, history=History(failures=1, last_failure="it broke"))
DRAINING = State(Serving(1.0), NONE, DrainingJobs(9.0))


def finished(code: ExitCode) -> State:
    return State(NoEngine(), NONE, Finished(code))


TIMES = Times({"imports": 2.0001}, [Part("imports", 0.12345, 2.0)])


@dataclass
class Engine:
    pid: int | None = 7
    doing: str | None = "importing"
    times: Times = field(default_factory=lambda: TIMES)
    seen: dict[Any, float] = field(default_factory=dict)


def status(state: State, figures: Figures | None = None) -> Status:
    return Status("plain", "org/m", {"worker": "1", "vllm": None}, state, Engine, lambda: figures)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (STARTING, 204),
        (READY, 200),
        (RESTARTING, 503),
        (DRAINING, 503),
        (finished(ExitCode.OK), 503),
        (finished(ExitCode.CONFIGURATION), 503),
    ],
)
def test_the_platforms_code_is_that_of_the_phase(state: State, code: int) -> None:
    assert status(state).ping == code


def test_the_body_has_the_keys_of_its_contract() -> None:
    body = status(RESTARTING).standing.as_json()
    assert body.pop("since") > 0
    assert body == {
        "state": "RESTARTING",
        "mode": "plain",
        "model": "org/m",
        "doing": "importing",
        "engine_pid": 7,
        "restarts": 0,
        "last_failure": "it broke",
        "exit_code": None,
        "answering": False,
        "phases": {},
        "start": [],
        "first_job": None,
        "jobs": None,
        "versions": {"worker": "1", "vllm": None},
        "role": None,
        "rank": None,
        "generation": None,
        "missing": None,
    }


def test_a_node_says_which_one_it_is_and_who_is_awaited() -> None:
    here = Node("a", "10.0.0.3", 9.0, Doing.PREPARING, 4)
    leading = Leading(3, generation=4, nodes={1: here})
    told = status(State(Awaiting(9.0), NONE, group=leading)).standing
    assert (told.role, told.rank, told.generation, told.missing) == ("leader", 0, 4, [1, 2])
    assert told.doing == "downloading the model"
    ready = replace(leading, prepared=True)
    told = status(State(Awaiting(9.0), NONE, group=ready)).standing
    assert told.doing == "waiting for ranks 1, 2"
    told = status(State(Serving(9.0), NONE, group=leading)).standing
    assert told.missing == [2]
    following = Following(3, 2, "10.0.0.2:8002", generation=4, prepared=True, missing=(1,))
    told = status(State(Awaiting(9.0), NONE, group=following)).standing
    assert (told.role, told.rank, told.generation, told.missing) == ("follower", 2, 4, [1])
    assert told.doing == "waiting for rank 0 (10.0.0.2:8002)"
    told = status(State(Starting(9.0), NONE, group=following)).standing
    assert told.doing == "importing"


def test_a_start_that_is_over_is_doing_nothing() -> None:
    assert status(READY).standing.as_json()["doing"] is None
    assert status(finished(ExitCode.CONFIGURATION)).standing.as_json()["exit_code"] == 78


def test_the_wait_for_the_first_job_is_no_phase_of_the_start() -> None:
    one = status(READY)
    one.state = replace(READY, history=History(was_ready=True))
    one.note(Ready(3.0))
    one.note(JobTaken())
    waited = one.standing.first_job
    assert waited is not None
    one.note(JobTaken())
    assert one.standing.first_job == waited >= 0.0
    assert one.standing.phases == {"imports": 2.0}
    assert one.standing.as_json()["start"] == [{"name": "imports", "begin": 0.123, "seconds": 2.0}]


def test_only_numbers_of_the_jobs_are_told_with_the_state() -> None:
    figures = Figures(jobs=3, tokens=9)
    figures.wait.observe(1.0)
    figures.ended["answered other"] += 1
    jobs = status(READY, figures).standing.as_json()["jobs"]
    assert jobs["jobs"] == 3
    assert jobs["tokens"] == 9
    assert all(isinstance(each, int) for each in jobs.values())


def test_the_cold_start_is_that_of_the_first_engine() -> None:
    one = status(READY)
    assert one.cold_start is None
    one.note(Ready(3.0))
    first = one.cold_start
    assert first is not None
    assert first > 0
    one.note(Ready(3.0))
    assert one.cold_start == first


def test_time_without_a_ready_engine_is_added_up() -> None:
    """The first start and each later one; not a drain, in which the engine answers."""
    now = 100.0
    one = Status("plain", None, {}, STARTING, clock=lambda: now)
    seen = []
    for state, seconds in (
        (STARTING, 10.0),
        (READY, 50.0),
        (RESTARTING, 5.0),
        (READY, 20.0),
        (DRAINING, 7.0),
        (finished(ExitCode.OK), 3.0),
    ):
        one.publish(state)
        now += seconds
        seen.append(one.unavailable)
    assert seen == [10.0, 10.0, 15.0, 15.0, 15.0, 15.0]


async def test_waiting_ends_with_the_state() -> None:
    one = status(STARTING)
    waiting = asyncio.create_task(one.wait_for(Phase.READY, 60.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    one.publish(READY)
    assert await waiting


async def test_waiting_ends_at_once_for_a_state_that_cannot_come_any_more() -> None:
    one = status(finished(ExitCode.OK))
    assert not await one.wait_for(Phase.READY, 60.0)
    assert not await status(STARTING).wait_for(Phase.READY, 0.0)
