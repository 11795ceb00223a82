"""A node among the others, before anything is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.catalog import versions
from supervisor.command import plan
from supervisor.command.cluster.node import Cluster
from supervisor.machine import network
from supervisor.worker import cluster
from supervisor.worker.cluster import timing
from supervisor.worker.cluster.asking import Asking
from supervisor.worker.cluster.hearing import Hearing
from supervisor.worker.lifecycle import Awaiting, Following, Leading, NoProxy, State

LEADS = Cluster(3, 0, "127.0.0.1", 29501, None, 8002, token="hush")
MADE = plan.make({"MODEL_NAME": "m"}, None)


async def test_rank_0_listens_where_the_others_reach_it() -> None:
    member = await cluster.member(MADE, LEADS, {})
    assert (member.address, member.silence) == ("127.0.0.1", 15.0)
    assert member.group == Leading(3, "127.0.0.1:8002")
    state = State(Awaiting(9.0), NoProxy(), group=member.group)
    assert isinstance(member.channel(state, print), Hearing)


async def test_the_others_ask_there_and_need_not_know_its_address_yet() -> None:
    follows = replace(LEADS, rank=2, leader="not.yet.known", address="127.0.0.1")
    member = await cluster.member(MADE, follows, {})
    assert member.group == Following(3, 2, "not.yet.known:8002")
    state = State(Awaiting(9.0), NoProxy(), group=member.group)
    asking = member.channel(state, print)
    assert isinstance(asking, Asking)
    assert asking._url == "http://not.yet.known:8002/cluster"
    six = await cluster.member(MADE, replace(follows, leader="fd00::1", balanced=True), {})
    assert six.group == Following(3, 2, "[fd00::1]:8002", headless=False)


async def test_times_are_looked_up_when_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SILENCE", 3.0)
    assert (await cluster.member(MADE, LEADS, {})).silence == 3.0


@pytest.mark.parametrize(("rank", "address"), [("0", "127.0.0.9"), ("1", "127.0.0.5")])
async def test_an_engine_is_told_where_rank_0_listens_or_answered_last(
    rank: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no name is looked up for that: the name server may be silent by then."""
    environment = {
        "MODEL_NAME": "m",
        "NUM_NODES": "2",
        "NODE_RANK": rank,
        "PRIMARY_ADDR": "head",
        "NODE_ADDR": "127.0.0.9",
        "NUM_TRAINERS": "1",
    }
    made = plan.make(environment, versions.load("0.32.0"))
    assert made.cluster is not None
    monkeypatch.setattr(network, "addresses", lambda _: ("127.0.0.9",))
    member = await cluster.member(made, made.cluster, {})
    if rank == "1":
        member.rank_0.answered(address)
    monkeypatch.setattr(network, "addresses", lambda name: pytest.fail(f"{name} is looked up"))
    assert f"--master-addr={address}" in (await member.placed(made)).command
