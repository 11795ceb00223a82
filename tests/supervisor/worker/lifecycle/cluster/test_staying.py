"""An engine that has no requests any more, while others have some."""

from __future__ import annotations

from dataclasses import replace

from supervisor.worker.lifecycle import (
    Action,
    DrainingJobs,
    Due,
    JobsDone,
    NoProxy,
    ProxyExited,
    ProxyRunning,
    Serving,
    State,
    Stop,
)
from supervisor.worker.lifecycle.cluster import staying
from tests.supervisor.worker.lifecycle.cluster.nodes import POLICY

DRAINS = State(Serving(1.0), NoProxy(), DrainingJobs(60.0))
DONE = replace(DRAINS, end=DrainingJobs(60.0, done=True))


def test_with_the_last_job_it_is_done_and_its_engine_stays() -> None:
    assert staying.step(DRAINS, JobsDone(), POLICY, 5.0) == (DONE, ())
    assert staying.step(DONE, JobsDone(), POLICY, 5.0) == (DONE, ())


def test_the_proxy_may_leave_jobs_to_another_one() -> None:
    has_proxy = replace(DRAINS, proxy=ProxyRunning(1.0))
    assert staying.step(has_proxy, ProxyExited(code=0, jobs=0), POLICY, 5.0) == (DONE, ())
    another = staying.step(has_proxy, ProxyExited(code=1, jobs=1), POLICY, 5.0)
    assert another is not None
    assert Action.SPAWN_PROXY in another[1]


def test_all_else_is_as_of_any_worker() -> None:
    for event in (Stop(), Due()):
        assert staying.step(DONE, event, POLICY, 5.0) is None
    assert staying.step(replace(DRAINS, end=None), JobsDone(), POLICY, 5.0) is None
