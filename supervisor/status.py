"""What the worker tells of itself: kept by the loop, read by `/ping`, `/status` and `/metrics`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from supervisor.lifecycle import Phase, State


@dataclass(slots=True)
class Status:
    """The published view of the lifecycle. Written by the supervision loop alone."""

    mode: str
    model: str | None
    versions: dict[str, str | None]
    state: State = field(default_factory=State)
    since: float = field(default_factory=time.time)
    phases: dict[str, float] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, state: State) -> None:
        """Show `state`, and wake those who wait for it."""
        if state.phase is not self.state.phase:
            self.since = time.time()
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, phase: Phase, timeout: float) -> bool:
        """Whether `phase` was reached within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while self.state.phase is not phase:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    @property
    def ping(self) -> int:
        """The platform's code: 204 starting, 200 ready, anything else takes the worker out."""
        match self.state.phase:
            case Phase.READY:
                return 200
            case Phase.STARTING:
                return 204
            case _:
                return 503

    def as_json(self) -> dict[str, Any]:
        """The body of `/status`; times in seconds, `since` as Unix time."""
        return {
            "state": str(self.state.phase),
            "since": round(self.since, 3),
            "mode": self.mode,
            "model": self.model,
            "restarts": self.state.restarts,
            "last_failure": self.state.last_failure,
            "phases": {name: round(seconds, 3) for name, seconds in self.phases.items()},
            "versions": self.versions,
        }

    def as_prometheus(self) -> str:
        """The body of `/metrics`."""
        up = int(self.state.phase is Phase.READY)
        lines = [
            "# HELP vllm_supervisor_ready Whether the engine is ready.",
            "# TYPE vllm_supervisor_ready gauge",
            f"vllm_supervisor_ready {up}",
            "# HELP vllm_supervisor_restarts_total Starts of the engine after the first one.",
            "# TYPE vllm_supervisor_restarts_total counter",
            f"vllm_supervisor_restarts_total {self.state.restarts}",
            "# HELP vllm_supervisor_phase_seconds How long each phase of the start took.",
            "# TYPE vllm_supervisor_phase_seconds gauge",
        ]
        lines += [
            f'vllm_supervisor_phase_seconds{{phase="{name}"}} {seconds:.3f}'
            for name, seconds in self.phases.items()
        ]
        return "\n".join(lines) + "\n"
