"""Several real workers on loopback addresses that serve one model, as nodes of a cluster would."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.processes import Worker, free_port, until

SILENCE = 5.0  # seconds after which these nodes count as gone; a busy machine takes some


class Nodes:
    """`size` nodes, all but those `without` started.

    Args:
        folder: for their logs.
        size: how many.
        without: ranks that are started later, by `start`.
        each: what is different at a rank: its number -> variables.
        base: the last number of rank 0's address.
        names: the file that is their name server, as `tests.named` says; None: they use none.
        variables: of all.
    """

    def __init__(
        self,
        folder: Path,
        size: int,
        *,
        without: Sequence[int] = (),
        each: dict[int, dict[str, str]] | None = None,
        base: int = 10,
        names: Path | None = None,
        **variables: str,
    ) -> None:
        self._folder = folder
        self.size = size
        self._base = base
        self._program = (
            ("tests.quick", str(SILENCE))
            if names is None
            else ("tests.named", str(names), str(SILENCE))
        )
        self.port = free_port()
        self._each = each or {}
        self._variables = variables
        self.workers: dict[int, Worker] = {}
        self.every: list[Worker] = []  # those before them, too
        for rank in range(size):
            if rank not in without:
                self.start(rank)

    def start(self, rank: int, **variables: str) -> Worker:
        """A worker for this rank, in place of the one before."""
        environment = {
            "NUM_NODES": str(self.size),
            "NODE_RANK": str(rank),
            "NODE_ADDR": self.address(rank),
            "PRIMARY_ADDR": self.address(0),
            "CLUSTER_PORT": str(self.port),
            "CLUSTER_TOKEN": "hush-hush",
            "NUM_TRAINERS": "1",
            **self._variables,
            **self._each.get(rank, {}),
            **variables,
        }
        log = self._folder / f"node-{rank}-{len(self.every)}.log"
        worker = Worker(log, environment, program=self._program)
        self.workers[rank] = worker
        self.every.append(worker)
        return worker

    def address(self, rank: int) -> str:
        """Of this rank."""
        return f"127.0.9.{self._base + rank}"

    def status(self, rank: int) -> dict[str, Any] | None:
        """The body of `/status`; None while nobody answers."""
        try:
            return self.workers[rank].status()
        except httpx.HTTPError:
            return None

    def until_ready(self, after: int = 0) -> int:
        """Wait until every /ping says 200, of a generation after `after`; its number."""

        def ready() -> int:
            told = [self.status(rank) for rank in self.workers]
            if not all(each is not None and each["state"] == "READY" for each in told):
                return 0
            numbers = {each["generation"] for each in told if each is not None}
            if len(numbers) != 1 or min(numbers) <= after:
                return 0
            pings = [worker.ping() for worker in self.workers.values()]
            return numbers.pop() if pings == [200] * self.size else 0

        return until(ready, what=f"readiness of\n{self.text()}\n", pause=0.1)

    def codes(self) -> list[int]:
        """The exit codes of all, once they have ended."""
        return [worker.wait() for worker in self.workers.values()]

    def text(self) -> str:
        """What all of them have logged."""
        return "\n".join(f"--- {worker.log.name}\n{worker.text()}" for worker in self.every)

    def left(self) -> list[Any]:
        """Every process that is left of them."""
        return [process for worker in self.every for process in worker.left()]

    def end(self) -> None:
        """Kill whatever is left."""
        for worker in self.every:
            worker.end()
