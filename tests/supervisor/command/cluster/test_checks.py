"""What is wrong with a cluster that can be known before anything is started."""

from __future__ import annotations

import pytest

from supervisor.catalog import options
from supervisor.command.arguments import parse
from supervisor.command.cluster import checks
from supervisor.findings import Fault, Remark
from supervisor.settings import read
from tests.processes import CATALOG

NODE = {
    "NUM_NODES": "2",
    "NODE_RANK": "0",
    "PRIMARY_ADDR": "10.0.0.2",
    "CLUSTER_TOKEN": "a-secret-of-theirs",
}


def found(said: str = "", **env: str) -> list[Fault | Remark]:
    given = {**NODE, **env}
    said_of = parse(said.split(), options.load(CATALOG))
    findings = checks.found(given, read.read(given)[0], said_of, "NUM_NODES=2")
    return [*findings.errors, *findings.warnings]


def sentences(said: str = "", **env: str) -> list[str]:
    return [f"{each.message}; {each.suggestion}" for each in found(said, **env)]


def test_nothing_is_wrong() -> None:
    assert found() == []
    assert found("--distributed-executor-backend mp", NODE_ADDR="10.0.0.2/24") == []


def test_ray_brings_its_own_nodes() -> None:
    assert sentences("--distributed-executor-backend ray") == [
        (
            "DISTRIBUTED_EXECUTOR_BACKEND=ray and NUM_NODES=2 exclude each other; with Ray only the"
            " head runs the worker"
        )
    ]
    settings = read.read(NODE)[0]
    said = parse(["--distributed-executor-backend", "ray"], options.load(CATALOG))
    (fault,) = checks.found(NODE, settings, said, "LWS_GROUP_SIZE=2").errors
    assert f"{fault.message}; {fault.suggestion}" == (
        "DISTRIBUTED_EXECUTOR_BACKEND=ray and LWS_GROUP_SIZE=2 exclude each other; with Ray only"
        " the head runs the worker; set CLUSTER=off there"
    )
    assert "DATA_PARALLEL_BACKEND=ray" in sentences("--data-parallel-backend=ray")[0]


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"CLUSTER_PORT": "8000"}, "the engine and the nodes' channel both use 8000"),
        ({"CLUSTER_PORT": "8001"}, "the control port and the nodes' channel both use 8001"),
        ({"PRIMARY_PORT": "8002"}, "the nodes' channel and the engines' meeting point both use"),
    ],
)
def test_one_port_for_two(env: dict[str, str], sentence: str) -> None:
    (one,) = found("", **env)
    assert isinstance(one, Fault)
    assert one.message.startswith(sentence)


def test_a_channel_without_a_token() -> None:
    (one,) = found(CLUSTER_TOKEN="", CLUSTER_PORT="9002")
    assert isinstance(one, Remark)
    assert one.env == "CLUSTER_TOKEN"
    assert "whoever reaches port 9002 of rank 0 can stop the cluster" in one.message
