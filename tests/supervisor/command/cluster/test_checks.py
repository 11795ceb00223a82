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
    settings = read.read({**NODE, **env})[0]
    findings = checks.found(settings, parse(said.split(), options.load(CATALOG)), "NUM_NODES=2")
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
    (fault,) = checks.found(settings, said, "LWS_GROUP_SIZE=2").errors
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


def test_a_public_address() -> None:
    (one,) = found(PRIMARY_ADDR="34.1.2.3")
    assert isinstance(one, Remark)
    assert one.message == (
        "PRIMARY_ADDR=34.1.2.3 is public; vLLM's traffic between nodes is not encrypted, and who"
        " reaches it can run code"
    )
    assert found(PRIMARY_ADDR="head.example") == found(PRIMARY_ADDR="fd00::2") == []


def test_an_address_that_is_a_name() -> None:
    assert sentences(NODE_ADDR="node-1") == [
        "NODE_ADDR=node-1 is no IP address; give an address of this machine such as 10.0.0.3"
    ]


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "0.0.0.0/0"])  # noqa: S104 - none of it listens
def test_an_address_of_no_machine(address: str) -> None:
    assert sentences(NODE_ADDR=address) == [
        (
            f"NODE_ADDR={address} is the address of no machine; give an address of this machine"
            " such as 10.0.0.3"
        )
    ]
    leader = address.partition("/")[0]
    assert sentences(PRIMARY_ADDR=leader) == [
        (
            f"PRIMARY_ADDR={leader} is the address of no machine; give an address of rank 0 such as"
            " 10.0.0.3"
        )
    ]


def test_an_address_of_many_machines() -> None:
    (said,) = sentences(NODE_ADDR="239.1.2.3", NODE_RANK="1")
    assert said.startswith("NODE_ADDR=239.1.2.3 is the address of a group of machines; give")


def test_rank_0_listens_where_the_others_look_for_it() -> None:
    """A second network has other addresses, of all nodes."""
    assert sentences(PRIMARY_ADDR="10.0.0.2", NODE_ADDR="192.168.7.2/24") == [
        (
            "PRIMARY_ADDR=10.0.0.2 is not NODE_ADDR=192.168.7.2 of rank 0, which listens there; set"
            " PRIMARY_ADDR=192.168.7.2 on all nodes"
        )
    ]
    assert found(PRIMARY_ADDR="10.0.0.2", NODE_ADDR="192.168.7.3", NODE_RANK="1") == []
    assert found(PRIMARY_ADDR="head", NODE_ADDR="192.168.7.3") == []
    assert found(PRIMARY_ADDR="fd00:0::2", NODE_ADDR="fd00::2") == []


def test_an_address_with_a_port() -> None:
    assert sentences(PRIMARY_ADDR="head:29500") == [
        "PRIMARY_ADDR=head:29500 has a port in it; set PRIMARY_ADDR=head and PRIMARY_PORT=29500"
    ]
    assert found(PRIMARY_ADDR="fe80::2") == []


def test_a_channel_without_a_token() -> None:
    (one,) = found(CLUSTER_TOKEN="", CLUSTER_PORT="9002")
    assert isinstance(one, Remark)
    assert one.env == "CLUSTER_TOKEN"
    assert "whoever reaches port 9002 of rank 0 can stop the cluster" in one.message
