"""One node of a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cluster:
    """This node among those that serve one model together.

    Attributes:
        size: how many nodes there are, 2 or more.
        rank: the number of this one, from 0.
        leader: name or address of rank 0 as it was written; it is resolved when it is needed.
        port: where the engines meet, on rank 0.
        address: of this node for the others; None: the one from which rank 0 is reached.
        channel: the port of the workers' own channel, on rank 0.
        token: what is sent there; empty: nothing is asked for.
        gpus: how many each node has; 0 where that was not to be found out.
        balanced: this rank answers requests of its own, as rank 0 does (data parallel with an
            external or hybrid balancer).
    """

    size: int
    rank: int
    leader: str
    port: int
    address: str | None
    channel: int
    token: str = field(default="", repr=False)
    gpus: int = 0
    balanced: bool = False

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which says when engines start."""
        return self.rank == 0

    @property
    def headless(self) -> bool:
        """Whether its engine opens no port for requests."""
        return not self.leads and not self.balanced

    @property
    def asked_alone(self) -> bool:
        """Whether no other node answers requests, so that its engine may end with its own ones."""
        return self.leads and not self.balanced
