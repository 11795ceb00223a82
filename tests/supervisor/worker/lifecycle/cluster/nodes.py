"""Several nodes as their states alone, and a network that may lose, keep and repeat."""

from __future__ import annotations

from dataclasses import dataclass, field

from supervisor.worker import lifecycle
from supervisor.worker.lifecycle import (
    Action,
    Awaiting,
    DrainingJobs,
    Due,
    Event,
    Exited,
    Following,
    JobsDone,
    Leading,
    Ordered,
    Phase,
    Policy,
    Prepared,
    Ready,
    Reported,
    State,
)
from supervisor.worker.lifecycle.cluster import talk
from supervisor.worker.lifecycle.parts import Process

POLICY = Policy(startup_timeout=100, drain_timeout=60, max_restarts=3)
ENDED = Exited("it ended", code=0)


@dataclass
class Node:
    """One node: its state, and the generation of the engine that runs there."""

    state: State
    run: str
    engine: int | None = None
    doomed: bool = False  # it was told to end
    ended: bool = False

    @property
    def phase(self) -> Phase:
        """As its `/status` shows it."""
        return self.state.phase


@dataclass
class Message:
    """A report on its way to rank 0, or an answer on its way to a run of a follower."""

    rank: int
    run: str
    said: Reported | Ordered


@dataclass
class Nodes:
    """`size` nodes at one time `now`; each step is checked."""

    size: int = 3
    policy: Policy = POLICY
    balanced: frozenset[int] = frozenset()  # ranks that answer requests of their own, as 0 does
    busy: set[int] = field(default_factory=set)  # ranks that have requests in hand
    now: float = 0.0
    runs: int = 0
    nodes: dict[int, Node] = field(default_factory=dict)
    network: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        for rank in range(self.size):
            self.nodes[rank] = self._new(rank)

    @property
    def leader(self) -> Leading:
        """The view of rank 0."""
        group = self.nodes[0].state.group
        assert isinstance(group, Leading)
        return group

    @property
    def phases(self) -> list[str]:
        """Of all nodes."""
        return [str(node.phase) for node in self.nodes.values()]

    @property
    def all_ended(self) -> bool:
        """Whether no worker is left."""
        return all(node.ended for node in self.nodes.values())

    # --- what can happen ---

    def give(self, rank: int, event: Event) -> None:
        """Let one node take a step."""
        node = self.nodes[rank]
        if node.ended:
            return
        node.state, actions = lifecycle.step(node.state, event, self.policy, self.now)
        for action in actions:
            self._act(rank, node, action)
        self._see_that_it_is_true(rank, node)

    def ask(self, rank: int) -> None:
        """A follower says how it stands."""
        node = self.nodes[rank]
        if isinstance(node.state.group, Following) and not node.ended:
            said = talk.report(node.state, node.state.group, node.run)
            self.network.append(Message(rank, node.run, said))

    def deliver(self, number: int, *, keep: bool = False) -> None:
        """A message arrives; kept, it will once more."""
        if not self.network:
            return
        number %= len(self.network)
        message = self.network[number] if keep else self.network.pop(number)
        if isinstance(message.said, Reported):
            self.give(0, message.said)
            self._answer(message)
        elif self.nodes[message.rank].run == message.run:
            self.give(message.rank, message.said)

    def lose(self, number: int) -> None:
        """A message never arrives."""
        if self.network:
            self.network.pop(number % len(self.network))

    def end_engine(self, rank: int) -> None:
        """The engine of a rank is gone, by itself or because it was told to end."""
        node = self.nodes[rank]
        if node.engine is not None and not node.ended:
            node.engine, node.doomed = None, False
            self.give(rank, ENDED)

    def replace(self, rank: int) -> None:
        """A follower's supervisor is gone with its engine, and another one comes."""
        if rank:
            self.nodes[rank] = self._new(rank)

    def leave(self, rank: int) -> None:
        """A node is gone, and none comes in its place."""
        self.nodes[rank].ended, self.nodes[rank].engine = True, None

    def ready(self, *ranks: int) -> None:
        """The engines of these ranks answer, as far as they open a port; without any, all do."""
        for rank in ranks or range(self.size):
            node = self.nodes[rank]
            if node.engine is not None and not node.doomed and rank in {0, *self.balanced}:
                self.give(rank, Ready())

    def jobs_done(self, rank: int) -> None:
        """The last request in hand at a rank is answered."""
        self.busy.discard(rank)
        end = self.nodes[rank].state.end
        if isinstance(end, DrainingJobs) and not end.done:
            self.give(rank, JobsDone())

    def wait(self, seconds: float) -> None:
        """Time passes."""
        until = self.now + seconds
        while True:
            due = [
                (node.state.due, rank)
                for rank, node in self.nodes.items()
                if not node.ended and node.state.due is not None and node.state.due <= until
            ]
            if not due:
                break
            when, rank = min(due)
            self.now = max(self.now, when)
            before = self.nodes[rank].state
            self.give(rank, Due())
            assert self.nodes[rank].state != before, f"a deadline without an end: {before}"
        self.now = until

    def turn(self) -> None:
        """Everybody speaks and hears, what was told to end has ended, and a second passes."""
        for rank in range(1, self.size):
            self.network.clear()
            self.ask(rank)
            self.deliver(0)
            self.deliver(0)
        for rank, node in self.nodes.items():
            if rank not in self.busy:
                self.jobs_done(rank)
            if node.doomed:
                self.end_engine(rank)
        self.wait(1.0)

    # --- what must be true ---

    def _act(self, rank: int, node: Node, action: Action) -> None:
        assert not node.ended, "an action after the end"
        if action is Action.SPAWN_ENGINE:
            assert node.engine is None, f"two engines at once at rank {rank}"
            group = node.state.group
            assert group is not None
            node.engine = group.generation
            running = {each.engine for each in self.nodes.values() if each.engine is not None}
            assert running == {group.generation}, f"generations {running} at once"
            if rank == 0:
                self._see_that_all_are_here()
        elif action in {Action.KILL_ENGINE, Action.TERMINATE_ENGINE}:
            node.doomed = node.engine is not None
        elif action is Action.EXIT:
            node.ended, node.engine = True, None  # what still runs is killed

    def _see_that_all_are_here(self) -> None:
        for rank, known in self.leader.nodes.items():
            node = self.nodes[rank]
            if known.run != node.run or node.ended:
                continue  # that one is gone, which nobody can know yet
            assert isinstance(node.state.engine, Awaiting), f"rank {rank} has not joined"
            assert isinstance(node.state.group, Following)
            assert node.state.group.prepared, f"rank {rank} has no model"
        assert len(self.leader.nodes) == self.size - 1, "a start without all ranks"

    def _see_that_it_is_true(self, rank: int, node: Node) -> None:
        if node.ended:
            assert node.state.exit_code is not None
            return
        runs = isinstance(node.state.engine, Process)
        assert runs == (node.engine is not None), f"rank {rank}: an engine that nobody knows of"
        assert node.state.due is not None or node.phase is Phase.READY, "a wait without an end"

    def _answer(self, message: Message) -> None:
        state = self.nodes[0].state
        order = talk.order(state, self.leader, message.rank, message.run)
        missing = talk.absent(state, self.leader)
        said = Ordered(order, str(state.phase), missing)
        self.network.append(Message(message.rank, message.run, said))

    def _new(self, rank: int) -> Node:
        self.runs += 1
        view = (
            Following(self.size, rank, "r0:1", rank not in self.balanced)
            if rank
            else Leading(self.size, "r0:1")
        )
        state, actions = lifecycle.begin(self.policy, self.now, proxy=False, group=view)
        assert not actions
        return Node(state, f"run-{self.runs}")

    def prepare(self, rank: int) -> None:
        """The model of a node is on its disk."""
        self.give(rank, Prepared())
