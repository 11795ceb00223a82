"""The nodes' own channel: carries what they say to each other, and decides nothing.

A follower asks `POST /cluster` at rank 0 again and again: each question is a sign of life and tells
how its engine stands, each answer says what is to be done. An answer that would say what the last
one said is held for some seconds. What follows from both is the lifecycle's business.

::

    hearing    rank 0: listens and answers
    asking     the others: ask
    finding    the others: where rank 0 is
    wire       both ends' JSON
    identity   what has to be the same on all nodes
    placing    what an engine is told of addresses when it is spawned
    engines    what an engine of several nodes is watched for
    timing     how long each thing may take

Imported only where several nodes serve one model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ...command.cluster.likeness import Identity
from ...command.cluster.node import Cluster
from ...command.plan import Plan
from ..lifecycle import Event, Following, Group, Leading, State
from . import placing, timing
from .asking import Asking
from .finding import Finding
from .hearing import PATH, Hearing
from .identity import identity


class Channel(Protocol):
    """One end of the channel."""

    async def begin(self) -> None:
        """Do what comes before anything is said. Raises SupervisorError where that fails."""

    async def identify(self) -> None:
        """Look anew at what this node would run: its model has come, as far as it will."""

    async def run(self) -> None:
        """Until it is cancelled."""

    def publish(self, state: State) -> None:
        """Say `state` from now on."""

    def asked_to_stop(self) -> None:
        """The worker is asked to stop, perhaps again: who is away is waited for no longer."""

    async def close(self) -> None:
        """Say the last, to those that listen, and end."""


@dataclass(frozen=True, slots=True)
class Member:
    """This node among the others, before anything is said.

    Attributes:
        plan: what its engine is started with.
        env: the worker's environment.
        cluster: which one it is.
        group: its first view of the others.
        address: of rank 0, where this is that; else of this node, where it was told.
        rank_0: knows the addresses of that one.
        silence: seconds without a word after which another node counts as gone.
    """

    plan: Plan
    env: Mapping[str, str]
    cluster: Cluster
    group: Group
    address: str | None
    rank_0: Finding
    silence: float = field(default_factory=lambda: timing.SILENCE)

    def channel(self, state: State, put: Callable[[Event], None]) -> Channel:
        """Its end of the channel; `put` takes what comes from the others."""
        cluster, address = self.cluster, self.address or ""

        async def ours(prepared: bool) -> Identity:
            return await identity(self.plan, cluster, address, self.env, prepared=prepared)

        if cluster.leads:
            return Hearing(address, cluster.channel, cluster.token, ours, state, put)
        url = f"http://{_host(cluster.leader)}:{cluster.channel}{PATH}"
        return Asking(self.rank_0, url, cluster.token, self.address, ours, state, put)

    async def placed(self, plan: Plan) -> Plan:
        """`plan` with the addresses of a spawn: rank 0 is where it listens, or answered last.

        Raises:
            SupervisorError: as `placing.placed`.
        """
        last = next(iter(await self.rank_0.places(0.0)), None)
        return await placing.placed(plan, self.cluster, self.env, last)


async def member(plan: Plan, cluster: Cluster, env: Mapping[str, str]) -> Member:
    """This node of `cluster`, which would run `plan` in `env`.

    Raises:
        SupervisorError: it is rank 0, and has no address.
    """
    if cluster.leads:
        address = await placing.own_address(cluster)
        place = f"{_host(address)}:{cluster.channel}"
        group = Leading(cluster.size, place)
        return Member(plan, env, cluster, group, address, Finding(address, None))
    place = f"{_host(cluster.leader)}:{cluster.channel}"
    follows = Following(cluster.size, cluster.rank, place, cluster.headless)
    rank_0 = Finding(cluster.leader, cluster.address)
    return Member(plan, env, cluster, follows, cluster.address, rank_0)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
