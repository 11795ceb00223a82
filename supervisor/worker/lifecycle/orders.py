"""What several nodes that serve one model say to each other, and what each hears as events. Pure.

Rank 0 leads: it says when engines start and when they end; the others follow. The engines of all
ranks that are started together are a generation. Its number only grows, also where rank 0 is
another process than before, because each follower says which one it has seen: so what is heard late
starts nothing and ends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ...diagnosis import kinds

# --- what rank 0 says ---


@dataclass(frozen=True, slots=True)
class Wait:
    """No engine of this generation, or of one before it, may run."""

    generation: int = 0


@dataclass(frozen=True, slots=True)
class Start:
    """The engines of this generation may run; who has not started its own does so."""

    generation: int


@dataclass(frozen=True, slots=True)
class StopAll:
    """Everybody ends with this exit code; `cause` is a sentence where that is no success."""

    code: int
    cause: str = ""


Order = Wait | Start | StopAll


# --- what a follower says ---


class Doing(StrEnum):
    """How a follower's engine stands."""

    PREPARING = "preparing"  # none: its model is not on its disk yet
    WAITING = "waiting"  # none
    RUNNING = "running"
    ENDING = "ending"  # it is on its way out


@dataclass(frozen=True, slots=True)
class Lost:
    """Why an engine has ended, as `Exited` says it."""

    cause: str
    kind: str = kinds.UNKNOWN
    final: bool = False
    wanting: bool = False


# --- the events ---


@dataclass(frozen=True, slots=True)
class Prepared:
    """The model is on this node's disk, as far as it can be fetched ahead."""


@dataclass(frozen=True, slots=True)
class Hindered:
    """The model is not on this node's disk yet, though that was tried; `cause` says why."""

    cause: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """An engine of several nodes answered 200 on /health, and then no request; `cause` says why."""

    cause: str


@dataclass(frozen=True, slots=True)
class Reported:
    """At rank 0: a follower has said how it stands.

    Attributes:
        rank: its.
        run: a word of its own for each run of its supervisor.
        address: where it is.
        doing: how its engine stands.
        generation: it starts none of this generation, or before it, any more.
        lost: why the engine of this generation ended by itself; None where it did not.
        stops: it was asked to stop.
        wrong: why it cannot be one of these nodes, as a sentence; empty where it can.
        serves: it may have requests of its own in hand, which need the engines of all.
        foreign: it cannot because it is of a cluster of another size, or has a number beyond ours.
    """

    rank: int
    run: str
    address: str
    doing: Doing
    generation: int = 0
    lost: Lost | None = None
    stops: bool = False
    wrong: str = ""
    serves: bool = False
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Ordered:
    """At a follower: what rank 0 answered, its phase, and the ranks that it awaits or misses."""

    order: Order
    phase: str = ""
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Unheard:
    """At a follower: rank 0 did not answer; `cause` says why."""

    cause: str
