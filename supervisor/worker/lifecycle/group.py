"""Several nodes that serve one model, as each of them sees the others. Pure.

A follower has joined when it has no engine, has its model, and knows that the generations before
are over. Times are seconds on the caller's monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .orders import Doing, Lost, Order, Wait
from .parts import later

_BLAMED_MOST = 3  # what the others say follows from what the first said


@dataclass(frozen=True, slots=True)
class Rival:
    """Another run that claims the rank of a node; see `Node`.

    `answered`: the node has spoken since, so that both live if this one speaks again.
    """

    run: str
    address: str
    until: float
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A follower as rank 0 knows it.

    Attributes:
        run: a word of its own for each run of its supervisor.
        address: where it is.
        until: when it counts as gone, if it says nothing.
        doing: how its engine stood when it said something last.
        generation: it starts none of this generation, or before it, any more.
        rival: who claims the same rank: a second node, or the one that replaces this one.
        refused: the run of one that was sent away for that.
        serves: it may have requests of its own in hand.
    """

    run: str
    address: str
    until: float
    doing: Doing
    generation: int = 0
    rival: Rival | None = None
    refused: str = ""
    serves: bool = False


@dataclass(frozen=True, slots=True)
class Leading:
    """The view of rank 0.

    Attributes:
        size: how many nodes there are.
        place: `ADDRESS:PORT`, where the others reach it.
        generation: of the engines that were started last; 0 before the first ones.
        prepared: its own model is on its disk.
        hindered: why it is not yet, after a try; empty where nothing is known.
        nodes: those that were heard lately, by rank.
        blame: the first ranks whose engines ended by themselves in this generation, and why.
    """

    size: int
    place: str = ""
    generation: int = 0
    prepared: bool = False
    hindered: str = ""
    nodes: Mapping[int, Node] = field(default_factory=dict)
    blame: tuple[str, ...] = ()

    @property
    def over(self) -> int:
        """The last generation that any node has seen: the next one is after it."""
        return max([self.generation, *(node.generation for node in self.nodes.values())])

    @property
    def missing(self) -> tuple[int, ...]:
        """The ranks that are not heard."""
        return tuple(rank for rank in range(1, self.size) if rank not in self.nodes)

    @property
    def awaited(self) -> tuple[int, ...]:
        """The ranks that have not joined: the next generation waits for them."""
        return tuple(rank for rank in range(1, self.size) if not self._has_joined(rank))

    @property
    def complete(self) -> bool:
        """Whether engines may be started."""
        return self.prepared and not self.awaited

    @property
    def serves(self) -> bool:
        """Whether another node may have requests in hand, which need the engine of this one."""
        return any(
            node.serves and node.generation == self.generation for node in self.nodes.values()
        )

    @property
    def due(self) -> float | None:
        """When the next of the others counts as gone."""
        every = [node.until for node in self.nodes.values()]
        every += [node.rival.until for node in self.nodes.values() if node.rival is not None]
        return min(every, default=None)

    def blaming(self, words: str) -> Leading:
        """The same with one more who may have been the first to be lost."""
        if words in self.blame or len(self.blame) >= _BLAMED_MOST:
            return self
        return replace(self, blame=(*self.blame, words))

    def without_old_rivals(self, now: float) -> Leading:
        """The same without those who claimed a rank and said nothing since."""
        nodes = {
            rank: replace(node, rival=None) if node.rival and now >= node.rival.until else node
            for rank, node in self.nodes.items()
        }
        return replace(self, nodes=nodes)

    def later(self, seconds: float) -> Leading:
        """The same after that many seconds in which nothing ran here."""
        return replace(
            self, nodes={rank: _later(node, seconds) for rank, node in self.nodes.items()}
        )

    def _has_joined(self, rank: int) -> bool:
        node = self.nodes.get(rank)
        if node is None or node.rival is not None:
            return False
        return node.doing is Doing.WAITING and node.generation >= self.over


@dataclass(frozen=True, slots=True)
class Following:
    """The view of any other rank.

    Attributes:
        size: how many nodes there are.
        rank: of this one.
        place: `ADDRESS:PORT` of rank 0.
        headless: its engine opens no port: whether it is ready is what rank 0 says.
        generation: none of it, or before it, will be started here any more.
        prepared: its own model is on its disk.
        hindered: why it is not yet, after a try; empty where nothing is known.
        until: when rank 0 counts as gone, if it says nothing; None: it never did.
        order: what it said last.
        phase: the phase of rank 0 then.
        missing: the ranks that it awaited or missed then.
        lost: why the engine of this generation ended by itself; None where it did not.
        unheard: why rank 0 does not answer; empty where it does, or nothing is known.
        stops: this node was asked to stop, which is for all of them.
    """

    size: int
    rank: int
    place: str = ""
    headless: bool = True
    generation: int = 0
    prepared: bool = False
    hindered: str = ""
    until: float | None = None
    order: Order = field(default_factory=Wait)
    phase: str = ""
    missing: tuple[int, ...] = ()
    lost: Lost | None = None
    unheard: str = ""
    stops: bool = False

    @property
    def due(self) -> float | None:
        """When rank 0 counts as gone."""
        return self.until

    def later(self, seconds: float) -> Following:
        """The same after that many seconds in which nothing ran here."""
        return later(self, seconds)


Group = Leading | Following


def _later(node: Node, seconds: float) -> Node:
    rival = None if node.rival is None else later(node.rival, seconds)
    return replace(later(node, seconds), rival=rival)


def ranks(numbers: tuple[int, ...]) -> str:
    """`rank 1`, `ranks 2, 3`."""
    return f"rank{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"
