"""All nodes of a cluster, as one machine can show them."""

from __future__ import annotations

from supervisor.command.cluster import every
from supervisor.command.cluster.node import Cluster


def test_they_are_alike_but_for_their_number() -> None:
    env = {"MODEL_NAME": "a/b", "CLUSTER": "off", "NODE_ADDR": "10.0.0.3", "NODE_RANK": "5"}
    one, two = every.environments(env, 2)
    assert one == {
        "MODEL_NAME": "a/b",
        "NUM_NODES": "2",
        "NODE_RANK": "0",
        "PRIMARY_ADDR": "ADDRESS_OF_RANK_0",
    }
    assert two == {**one, "NODE_RANK": "1"}


def test_a_leader_that_is_named_stays() -> None:
    for name in ("PRIMARY_ADDR", "MASTER_ADDR", "LWS_LEADER_ADDRESS"):
        assert every.environments({name: "head"}, 2)[1]["PRIMARY_ADDR"] == "head"


def test_what_nobody_knows_stands_by_a_name() -> None:
    head = Cluster(2, 0, "10.0.0.2", 29501, None, 8002)
    follower = Cluster(2, 1, "10.0.0.2", 29501, None, 8002)
    assert every.at_spawn(head, {})["VLLM_HOST_IP"] == "10.0.0.2"
    assert every.at_spawn(follower, {"NCCL_SOCKET_IFNAME": "ib0"}) == {
        "VLLM_HOST_IP": "ADDRESS_OF_RANK_1",
        "GLOO_SOCKET_IFNAME": "INTERFACE_OF_RANK_1",
    }
