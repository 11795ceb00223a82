"""Addresses, when an engine is spawned."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import replace

import pytest

from supervisor.catalog import versions
from supervisor.command import plan
from supervisor.command.cluster.node import Cluster
from supervisor.errors import NodeRefused, OutOfResources, SupervisorError
from supervisor.machine import network, ports
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


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, ...]]:
    """What names are here, beside the addresses that are their own."""
    known: dict[str, tuple[str, ...]] = {}
    monkeypatch.setattr(network, "addresses", lambda name: known.get(name, (name,)))
    return known


async def test_rank_0_whose_own_name_is_loopback_to_itself(
    names: dict[str, tuple[str, ...]],
) -> None:
    """As Debian's /etc/hosts has it."""
    names["node1"] = ("127.0.1.1",)
    before, cluster = made(NODE_RANK="0", PRIMARY_ADDR="node1")
    said = (
        r"PRIMARY_ADDR=node1 is 127\.0\.1\.1 on this machine, which others cannot reach; set"
        " NODE_ADDR to this node's address"
    )
    with pytest.raises(NodeRefused, match=said):
        await placing.own_address(cluster, within=1e9)
    with pytest.raises(NodeRefused, match=said):
        await placing.placed(before, cluster, ENV)
    told = replace(cluster, address="127.0.0.5")
    assert await placing.own_address(told) == "127.0.0.5"
    after = await placing.placed(before, told, ENV)
    assert "--master-addr=127.0.0.5" in after.command
    assert after.engine_env["VLLM_HOST_IP"] == "127.0.0.5"
    plain = replace(cluster, leader="127.0.0.5")
    assert await placing.own_address(plain) == "127.0.0.5", "who writes an address means it"


async def test_rank_0_is_where_its_name_leads_the_others(
    names: dict[str, tuple[str, ...]],
) -> None:
    _, cluster = made(NODE_RANK="0", PRIMARY_ADDR="head", NODE_ADDR="127.0.6.6")
    names["head"] = ("10.0.0.7",)
    said = (
        r"PRIMARY_ADDR=head is 10\.0\.0\.7, and not NODE_ADDR=127\.0\.6\.6 of rank 0, which listens"
        r" there; set PRIMARY_ADDR=127\.0\.6\.6 on all nodes"
    )
    with pytest.raises(NodeRefused, match=said):
        await placing.own_address(cluster, within=0.0)
    names["head"] = ("10.0.0.7", "127.0.6.6")
    assert await placing.own_address(cluster) == "127.0.6.6", "in one of its networks"
    assert await placing.own_address(replace(cluster, leader="127.0.6.6")) == "127.0.6.6"
    with pytest.raises(NodeRefused, match=r"PRIMARY_ADDR=127\.0\.5\.5 is 127\.0\.5\.5, and"):
        await placing.own_address(replace(cluster, leader="127.0.5.5"), within=0.0)


async def test_a_name_leads_to_the_network_of_this_node(names: dict[str, tuple[str, ...]]) -> None:
    names["head"] = ("10.0.0.7", "fd00::7")
    before, cluster = made(PRIMARY_ADDR="head", NODE_ADDR="fd00::9")
    after = await placing.placed(before, cluster, ENV)
    assert "--master-addr=fd00::7" in after.command
    assert after.engine_env["VLLM_HOST_IP"] == "fd00::9"
    names["head"] = ("10.0.0.7",)
    with pytest.raises(NodeRefused, match=r"head is 10\.0\.0\.7, and NODE_ADDR=fd00::9 is"):
        await placing.placed(before, cluster, ENV)


async def test_rank_0_without_an_address_has_that_of_primary_addr() -> None:
    """Also where this machine would reach that one from another address of its own."""
    before, cluster = made(NODE_RANK="0", PRIMARY_ADDR="127.0.6.6")
    assert network.local_address("127.0.6.6") == "127.0.0.1"
    assert await placing.own_address(cluster) == "127.0.6.6"
    after = await placing.placed(before, cluster, ENV)
    assert "--master-addr=127.0.6.6" in after.command
    assert after.engine_env["VLLM_HOST_IP"] == "127.0.6.6"
    assert after.engine_env["GLOO_SOCKET_IFNAME"] == "lo"


async def test_rank_0_that_primary_addr_does_not_lead_to(
    names: dict[str, tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a node with the wrong number; only a name may lead here later."""
    _, cluster = made(NODE_RANK="0", PRIMARY_ADDR="192.0.2.7")
    monkeypatch.setattr(network, "listed", lambda: "10.0.0.3 (eth0)")
    said = (
        r"PRIMARY_ADDR=192\.0\.2\.7 is not an address of this machine, which is rank 0; it has"
        r" 10\.0\.0\.3 \(eth0\); correct NODE_RANK or PRIMARY_ADDR"
    )
    with pytest.raises(NodeRefused, match=said):
        await placing.own_address(cluster, within=1e9)
    names["head"] = ("192.0.2.7",)
    with pytest.raises(NodeRefused, match=r"PRIMARY_ADDR=head \(192\.0\.2\.7\) is not an"):
        await placing.own_address(replace(cluster, leader="head"), within=0.0)
    names["head"] = ("192.0.2.7", "127.0.6.6")
    with pytest.raises(NodeRefused, match=r"PRIMARY_ADDR=head is 127\.0\.6\.6 on this"):
        await placing.own_address(replace(cluster, leader="head"), within=1e9)
    monkeypatch.setattr(placing, "_PAUSE", 0.01)
    monkeypatch.setattr(ports, "is_ours", "192.0.2.9".__eq__)
    answers = iter([("192.0.2.7",), ("192.0.2.8", "192.0.2.9")])
    monkeypatch.setattr(network, "addresses", lambda _: next(answers))
    assert await placing.own_address(replace(cluster, leader="head")) == "192.0.2.9"


async def test_a_name_of_rank_0_that_is_not_known_here() -> None:
    """It was told its address, and needs it for nothing."""
    before, cluster = made(NODE_RANK="0", PRIMARY_ADDR="nobody.invalid", NODE_ADDR="127.0.0.5")
    assert await placing.own_address(cluster) == "127.0.0.5"
    assert "--master-addr=127.0.0.5" in (await placing.placed(before, cluster, ENV)).command


async def test_a_name_may_be_of_the_node_before_for_a_while(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, cluster = made(NODE_RANK="0", PRIMARY_ADDR="head", NODE_ADDR="127.0.6.6")
    monkeypatch.setattr(placing, "_PAUSE", 0.01)
    answers = iter([("10.0.0.7",), ("10.0.0.7",), ("127.0.6.6",)])
    monkeypatch.setattr(network, "addresses", lambda _: next(answers))
    assert await placing.own_address(cluster) == "127.0.6.6"
    assert next(answers, None) is None
    (said,) = caplog.messages
    assert said.startswith("PRIMARY_ADDR=head is 10.0.0.7, and not")
    assert said.endswith(". Looking again for 35 s")


@pytest.mark.parametrize("rank", ["0", "1"])
@pytest.mark.parametrize("who", ["socket", "getaddrinfo", "interfaces"])
async def test_an_address_that_no_descriptor_is_left_to_look_for(
    who: str, rank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start is tried again then, and counts for nothing."""
    before, cluster = made(NODE_RANK=rank, PRIMARY_ADDR="127.0.6.6")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(network if who == "interfaces" else socket, who, refuse)
    with pytest.raises(OutOfResources, match="Too many open files"):
        await placing.placed(before, cluster, ENV)


async def test_rank_0_looks_again_once_there_is_a_descriptor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, cluster = made(NODE_RANK="0", PRIMARY_ADDR="127.0.6.6")
    monkeypatch.setattr(placing, "_PAUSE", 0.01)
    tries = iter([False, True])

    def is_ours(host: str) -> bool:
        if not next(tries):
            raise OutOfResources(f"no socket is left to try {host} with")
        return True

    monkeypatch.setattr(ports, "is_ours", is_ours)
    assert await placing.own_address(cluster) == "127.0.6.6"
    assert next(tries, None) is None
