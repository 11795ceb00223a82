"""What the variables say of a node."""

from __future__ import annotations

import pytest

from supervisor.command.cluster import reading
from supervisor.command.cluster.node import Cluster
from supervisor.findings import Findings
from supervisor.settings import read


def found(**env: str) -> tuple[Cluster, Findings]:
    return reading.read(env, read.read(env)[0], gpus=2)


def messages(**env: str) -> list[str]:
    _, findings = found(**env)
    return [
        f"{each.message}; {each.suggestion}" if each.suggestion else each.message
        for each in findings.errors
    ]


def test_all_that_is_said() -> None:
    one, findings = found(
        NUM_NODES="3",
        NODE_RANK="2",
        PRIMARY_ADDR="head.example",
        PRIMARY_PORT="29400",
        NODE_ADDR="10.65.0.4/24",
        NUM_TRAINERS="8",
        CLUSTER_PORT="9002",
        CLUSTER_TOKEN="a-secret-of-theirs",
    )
    token = "a-secret-of-theirs"
    assert one == Cluster(3, 2, "head.example", 29400, "10.65.0.4", 9002, token, 8)
    assert findings == Findings()


def test_addresses_are_taken_without_what_is_around_them() -> None:
    one, _ = found(NUM_NODES="2", NODE_RANK="0", PRIMARY_ADDR="[fd00::2]", NODE_ADDR="[FD00::2]/64")
    assert (one.leader, one.address) == ("fd00::2", "fd00::2")


def test_the_gpus_that_are_seen() -> None:
    one, _ = found(NUM_NODES="2", NODE_RANK="0", PRIMARY_ADDR="a")
    assert one.gpus == 2
    assert one.address is None


def test_everything_that_is_missing_is_named_together() -> None:
    assert messages(NUM_NODES="2") == [
        "NUM_NODES=2 needs NODE_RANK; give each node its number, 0 to 1",
        "NUM_NODES=2 needs PRIMARY_ADDR; set it to the address of rank 0",
    ]
    assert messages(LWS_GROUP_SIZE="4", LWS_LEADER_ADDRESS="a") == [
        "LWS_GROUP_SIZE=4 needs NODE_RANK; give each node its number, 0 to 3"
    ]


@pytest.mark.parametrize("name", ["NODE_RANK", "LWS_WORKER_INDEX"])
def test_a_rank_that_is_none(name: str) -> None:
    env = {"NUM_NODES": "2", "PRIMARY_ADDR": "a", name: "2"}
    assert messages(**env) == [f"{name}=2 is not one of 0 to 1"]


def test_what_is_refused_already_is_not_missing() -> None:
    assert messages(NUM_NODES="2", PRIMARY_ADDR="a", NODE_RANK="first") == []
