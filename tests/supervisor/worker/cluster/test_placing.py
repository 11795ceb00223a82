"""Addresses, when an engine is spawned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.catalog import versions
from supervisor.command import plan
from supervisor.command.cluster.node import Cluster
from supervisor.errors import SupervisorError
from supervisor.worker.cluster import placing

ENV = {
    "MODEL_NAME": "m",
    "NUM_NODES": "2",
    "NODE_RANK": "1",
    "PRIMARY_ADDR": "localhost",
    "NUM_TRAINERS": "1",
}


def made(**env: str) -> tuple[plan.Plan, Cluster]:
    found = plan.make({**ENV, **env}, versions.load("0.32.0"))
    assert found.cluster is not None
    return found, found.cluster


async def test_an_engine_gets_addresses_for_names() -> None:
    before, cluster = made()
    after = await placing.placed(before, cluster, ENV)
    assert "--master-addr=localhost" in before.command
    assert "--master-addr=127.0.0.1" in after.command
    assert len(before.command) == len(after.command)
    assert after.engine_env["VLLM_HOST_IP"] == "127.0.0.1"
    assert after.engine_env["GLOO_SOCKET_IFNAME"] == "lo"
    own = {**ENV, "VLLM_HOST_IP": "127.0.0.7"}
    told = plan.engine_environment(own, await placing.placed(before, cluster, own))
    assert told["VLLM_HOST_IP"] == "127.0.0.7", "who says it knows it"


async def test_a_node_that_was_told_its_address_has_that() -> None:
    before, cluster = made(NODE_ADDR="127.0.0.5")
    after = await placing.placed(before, cluster, ENV)
    assert after.engine_env["VLLM_HOST_IP"] == "127.0.0.5"
    assert await placing.own_address(cluster) == "127.0.0.5"


async def test_a_name_that_nobody_knows_is_named() -> None:
    before, cluster = made()
    lost = replace(cluster, leader="nobody.invalid")
    with pytest.raises(
        SupervisorError, match=r"PRIMARY_ADDR=nobody\.invalid has no address: .+; set it to"
    ):
        await placing.placed(before, lost, ENV)
    # What the remedy says is one.
    after = await placing.placed(before, replace(lost, leader="127.0.0.1"), ENV)
    assert after.engine_env["VLLM_HOST_IP"] == "127.0.0.1"
    with pytest.raises(SupervisorError, match="PRIMARY_ADDR"):
        await placing.own_address(replace(lost, address=None), within=0.0)


async def test_an_address_that_cannot_be_reached_has_a_remedy() -> None:
    before, cluster = made()
    far = replace(cluster, leader="255.255.255.255")  # no socket may go there unasked
    with pytest.raises(
        SupervisorError,
        match=r"no way to PRIMARY_ADDR=255\.255\.255\.255: .+; set it to an address",
    ):
        await placing.placed(before, far, ENV)
