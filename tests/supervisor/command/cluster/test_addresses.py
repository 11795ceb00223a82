"""Where nodes find each other."""

from __future__ import annotations

import pytest

from supervisor.command.cluster import addresses
from supervisor.findings import Fault, Remark
from supervisor.settings import read

NODE = {"NUM_NODES": "2", "NODE_RANK": "0", "PRIMARY_ADDR": "10.0.0.2"}


def found(**env: str) -> list[Fault | Remark]:
    given = {**NODE, **env}
    every = list(addresses.findings(given, read.read(given)[0]))
    assert all(isinstance(each, Fault | Remark) for each in every)
    return [each for each in every if isinstance(each, Fault | Remark)]


def sentences(**env: str) -> list[str]:
    return [f"{each.message}; {each.suggestion}" for each in found(**env)]


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("10.65.0.2/24", "10.65.0.2"),
        ("[fd00::2]", "fd00::2"),
        ("FD00:0::2/64", "fd00::2"),
        ("[fd00::2]/64", "fd00::2"),
        ("head.example", "head.example"),
        ("head/24", "head/24"),
        ("[head]", "[head]"),
        ("", ""),
    ],
)
def test_an_address_without_what_is_around_it(written: str, address: str) -> None:
    assert addresses.bare(written) == address


@pytest.mark.parametrize(
    "leader",
    ["fd00::2", "[fd00::2]", "10.0.0.2/24", "node-0", "llm-0.llm.default.svc.", "a_b", "7.node",
     "x" * 63, "ADDRESS_OF_RANK_0"],
)  # fmt: skip
def test_addresses_and_names(leader: str) -> None:
    assert found(PRIMARY_ADDR=leader) == []


@pytest.mark.parametrize(
    "leader",
    ["rank0..svc", ".head", "http://10.0.0.2", "http://10.0.0.2:29501", "[fd00::2", "10.0.0.256",
     "10.0.0", "1", "0x7f000001", "é.svc", "a b", "x" * 64, "head/24", "10.0.0.2/x", "a@b",
     "fd00::2%eth0/x", ".".join(["x" * 60] * 5)],
)  # fmt: skip
def test_what_is_neither(leader: str) -> None:
    (said,) = sentences(PRIMARY_ADDR=leader)
    assert " is neither an IP address nor the name of a host; set PRIMARY_ADDR to one of" in said
    assert len(said) < 300


@pytest.mark.parametrize("name", ["MASTER_ADDR", "LWS_LEADER_ADDRESS"])
def test_it_is_named_as_it_was_said(name: str) -> None:
    (said,) = sentences(**{"PRIMARY_ADDR": "", name: "rank0..svc\x1b"})
    assert said.startswith(f"{name}=rank0..svc\\x1b is neither")


def test_an_address_of_one_link() -> None:
    for leader in ("fe80::2", "fe80::2%eth0"):
        assert " is an address of one link alone; give" in sentences(PRIMARY_ADDR=leader)[0]


def test_addresses_of_two_families() -> None:
    for rank in ("0", "1"):
        assert sentences(NODE_ADDR="fd00::3", NODE_RANK=rank) == [
            "PRIMARY_ADDR=10.0.0.2 is IPv4, NODE_ADDR=fd00::3 is not; give addresses of one network"
        ]


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
    assert found(PRIMARY_ADDR="fd00::2") == []
    assert sentences(PRIMARY_ADDR="[fd00::2]:29501") == [
        (
            "PRIMARY_ADDR=[fd00::2]:29501 has a port in it; set PRIMARY_ADDR=fd00::2 and"
            " PRIMARY_PORT=29501"
        )
    ]
