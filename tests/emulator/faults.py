"""What is to go wrong with workers' requests, on a test's demand."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

KINDS = frozenset({"job-take", "job-stop", "job-stream", "job-done", "ping"})


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong, `times` times. Without a status and a cut it is only slow."""

    path: str  # one of KINDS; job-take means job-take-batch too
    status: int | None = None
    times: int = 1
    close: bool = False  # cut the connection instead of answering
    delay_ms: float = 0.0


class Faults:
    """The faults that are left, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._left: list[Fault] = []

    def add(self, asked: Any) -> None:
        """Add one from its JSON; a ValueError says what is wrong with it."""
        try:
            fault = Fault(**asked)
            sound = fault.times > 0 and fault.delay_ms >= 0
        except TypeError:
            known = ", ".join(field.name for field in fields(Fault))
            raise ValueError(f"a fault is a JSON object with path, and of these: {known}") from None
        if fault.path not in KINDS:
            raise ValueError(f"path {fault.path!r} is none of {', '.join(sorted(KINDS))}")
        if not sound:
            raise ValueError("times and delay_ms are positive")
        if fault.status is not None and fault.status not in range(200, 600):
            raise ValueError(f"status {fault.status!r} is no HTTP status")
        self._left.append(fault)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._left.clear()

    def next(self, kind: str) -> Fault | None:
        """The fault that meets this request, used up once."""
        if not self._left:
            return None
        for fault in self._left:
            if fault.path == kind.removesuffix("-batch"):
                fault.times -= 1
                if fault.times <= 0:
                    self._left.remove(fault)
                return fault
        return None
