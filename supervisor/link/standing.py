"""How the worker stands: the body of `/status`, written by the supervisor, read by the proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: States from which no engine comes back.
OVER = frozenset({"DRAINING", "STOPPED", "FAILED"})


@dataclass(frozen=True, slots=True)
class Standing:
    """How the worker stands."""

    state: str
    cause: str | None  # of the last failure
    restarts: int
    engine: int | None  # its process; None while there is none

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Standing:
        """From the body of `/status`; a supervisor of another version may leave things out."""
        return cls(
            str(body.get("state", "")),
            body.get("last_failure"),
            int(body.get("restarts") or 0),
            body.get("engine_pid"),
        )

    @property
    def over(self) -> bool:
        """Whether no engine comes back."""
        return self.state in OVER

    @property
    def words(self) -> str:
        """For an error: what is the matter."""
        what = {
            "STARTING": "the engine is starting",
            "RESTARTING": "the engine is being restarted",
            "DRAINING": "the worker is being stopped",
            "STOPPED": "the worker has stopped",
            "FAILED": "the worker has given up",
        }.get(self.state, "the engine cannot be reached")
        return f"{what}: {self.cause}" if self.cause else what
