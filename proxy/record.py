"""What happened to one job, as one line of the log; never what was asked or answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Record:
    """Filled in while the job runs. Times in seconds since the job was taken."""

    job: str
    clock: Callable[[], float]
    route: str = "-"
    outcome: str = "200"
    tokens: int | None = None
    first: float | None = None
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def yielded(self) -> None:
        """The first batch is on its way."""
        if self.first is None:
            self.first = self.clock() - self.started

    def __str__(self) -> str:
        parts = [f"job {self.job}: {self.route} {self.outcome}"]
        if self.tokens is not None:
            parts.append(f"{self.tokens} tokens")
        if self.first is not None:
            parts.append(f"first after {self.first:.3f} s")
        parts.append(f"{self.clock() - self.started:.3f} s in all")
        return ", ".join(parts)
