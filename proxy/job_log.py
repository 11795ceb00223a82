"""What happened to one job, as one line of the log; what was asked and answered only on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_LONGEST = 20_000  # characters of a question or an answer in the log


@dataclass(slots=True)
class Record:
    """Filled in while the job runs. Times in seconds since the job was taken."""

    job: str
    clock: Callable[[], float]
    keep: bool = False  # what is asked and answered, for `content`
    route: str = "-"
    outcome: str = "200"
    tokens: int | None = None
    first: float | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    started: float = field(init=False)
    _answered: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def yielded(self, output: Any) -> None:
        """An output is on its way."""
        if self.first is None:
            self.first = self.clock() - self.started
        if self.keep:
            self._answered.append(output)

    def content(self) -> str:
        """What was asked and answered, for the log of someone who wants it there."""
        asked = json.dumps(self.asked, ensure_ascii=False)[:_LONGEST]
        texts = [out if isinstance(out, str) else json.dumps(out) for out in self._answered]
        return f"job {self.job} asked {asked} and was answered {''.join(texts)[:_LONGEST]}"

    def __str__(self) -> str:
        parts = [f"job {self.job}: {self.route} {self.outcome}"]
        if self.tokens is not None:
            parts.append(f"{self.tokens} tokens")
        if self.first is not None:
            parts.append(f"first after {self.first:.3f} s")
        parts.append(f"{self.clock() - self.started:.3f} s in all")
        return ", ".join(parts)
