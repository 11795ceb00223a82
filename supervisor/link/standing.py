"""How the worker stands: what the proxy reads of `/status`, which the supervisor writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: States from which no engine comes back.
OVER = frozenset({"DRAINING", "STOPPED", "FAILED"})


@dataclass(frozen=True, slots=True)
class Standing:
    """How the worker stands.

    `state` is a phase of the supervisor's lifecycle, `cause` that of the last failure.
    """

    state: str
    cause: str | None
    restarts: int
    engine: int | None  # its process; None while there is none

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Standing:
        """Read the body of `/status`; a supervisor of another version may leave things out.

        Raises:
            ValueError, AttributeError: it is no such body.
        """
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
        """What is the matter, for the message of an error."""
        what = {
            "STARTING": "the engine is starting",
            "RESTARTING": "the engine is being restarted",
            "DRAINING": "the worker is being stopped",
            "STOPPED": "the worker has stopped",
            "FAILED": "the worker has given up",
        }.get(self.state, "the engine cannot be reached")
        return f"{what}: {self.cause}" if self.cause else what
