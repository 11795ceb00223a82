"""One job as one line of the log; what it asked and was answered only on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy import excerpt

_LONGEST = 20_000  # characters of a question or an answer in the log


@dataclass(slots=True)
class Record:
    """What is known of one job so far.

    `clock` gives seconds and never goes back; `failed` is whether it is certain that the job fails;
    `first` is when the first output came, in seconds since the job was taken; `answered` is whether
    the last one has been handed over. With `keep` the record has what was asked and answered, for
    `content`.
    """

    job: str
    clock: Callable[[], float]
    keep: bool = False
    route: str = "-"
    outcome: str = "200"
    failed: bool = False
    answered: bool = False
    tokens: int | None = None
    first: float | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    started: float = field(init=False)
    _answered: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.started = self.clock()
        self.job = excerpt.text(self.job)

    def yielded(self, output: Any) -> None:
        """Note an output that is on its way."""
        if self.first is None:
            self.first = self.clock() - self.started
        if self.keep:
            self._answered.append(output)

    def content(self) -> str:
        """What was asked and answered, both cut off somewhere."""
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
