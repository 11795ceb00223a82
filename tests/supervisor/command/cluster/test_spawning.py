"""What is known only when an engine is spawned."""

from __future__ import annotations

from supervisor.command.cluster.node import Cluster
from supervisor.command.cluster.spawning import Here, at_spawn, engine_env

NODE = Cluster(2, 1, "head.example", 29501, None, 8002)
HERE = Here("10.0.0.3", "ens1")


def test_the_leaders_name_becomes_an_address() -> None:
    command = ("vllm", "serve", "a/b", "--master-addr=head.example", "--node-rank=1")
    completed, env = at_spawn(NODE, command, {"HOME": "/root"}, "10.0.0.2", HERE)
    assert completed == ("vllm", "serve", "a/b", "--master-addr=10.0.0.2", "--node-rank=1")
    assert env == {
        "HOME": "/root",
        "VLLM_HOST_IP": "10.0.0.3",
        "GLOO_SOCKET_IFNAME": "ens1",
        "NCCL_SOCKET_IFNAME": "=ens1",
    }


def test_an_address_of_the_users_own_stays() -> None:
    command = ("vllm", "serve", "a/b", "--master-addr=10.9.9.9")
    assert at_spawn(NODE, command, {}, "10.0.0.2", HERE)[0] == command


def test_what_the_user_says_wins() -> None:
    env = {"NCCL_SOCKET_IFNAME": "ib0", "GLOO_SOCKET_IFNAME": " "}
    assert engine_env(env, HERE) == {"VLLM_HOST_IP": "10.0.0.3", "GLOO_SOCKET_IFNAME": "ens1"}


def test_an_address_without_an_interface() -> None:
    assert engine_env({}, Here("10.0.0.3")) == {"VLLM_HOST_IP": "10.0.0.3"}
