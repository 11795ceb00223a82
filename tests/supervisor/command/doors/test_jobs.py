"""A start in queue mode is refused where no jobs come, and no other one is."""

from __future__ import annotations

import pytest

from supervisor import planning
from supervisor.command.doors import jobs
from supervisor.command.plan import Plan
from tests.supervisor.command.test_translate import catalog

QUEUE = {"WORKER_MODE": "queue"}
ADDRESS = {"RUNPOD_WEBHOOK_GET_JOB": "http://x/$ID?"}
NODES = {"NUM_NODES": "2", "PRIMARY_ADDR": "10.0.0.2", "NUM_TRAINERS": "1"}


def made(env: dict[str, str]) -> Plan:
    return planning.by_catalog({"MODEL_NAME": "m", **env}, catalog("0.32.0"))


@pytest.mark.parametrize(
    ("env", "refused"),
    [
        (QUEUE, True),
        ({"WORKER_MODE": " Queue ", "RUNPOD_ENDPOINT_ID": "e"}, True),
        (QUEUE | {"RUNPOD_WEBHOOK_GET_JOB": " "}, True),
        (QUEUE | {"RUNPOD_REALTIME_PORT": "0"}, True),
        (QUEUE | {"RUNPOD_REALTIME_PORT": "9000"}, False),
        (QUEUE | ADDRESS, False),
        (ADDRESS, False),
        ({}, False),
        ({"WORKER_MODE": "load-balancer"}, False),
        (QUEUE | NODES | {"NODE_RANK": "0"}, True),
        (QUEUE | NODES | {"NODE_RANK": "1"}, False),
        (QUEUE | NODES | {"NODE_RANK": "7"}, False),  # which is another error
    ],
)
def test_who_waits_for_jobs_that_do_not_come(env: dict[str, str], refused: bool) -> None:
    before = made(env)
    found = jobs.checked(before)
    told = found.findings.errors[len(before.findings.errors) :]
    assert [fault.env for fault in told] == ["WORKER_MODE"] * refused
    assert all("RUNPOD_WEBHOOK_GET_JOB" in fault.message for fault in told)
    assert "WORKER_MODE" not in {fault.env for fault in before.findings.errors}


def test_jobs_are_answered_where_they_come() -> None:
    for env, taken in (
        (QUEUE, False),
        (ADDRESS, True),
        ({**ADDRESS, "WORKER_MODE": "plain"}, False),
    ):
        assert jobs.taken(made(env).settings, env) is taken
