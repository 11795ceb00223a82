"""What the worker tells of itself: kept by the loop, read by `/ping`, `/status` and `/metrics`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Protocol

from ..link.figures import Figures
from ..link.standing import Standing
from ..secrets import masked
from ..status.parts import Times
from .lifecycle import Answering, Event, JobTaken, Phase, Ready, State

#: What may follow where nothing goes back to work.
_ENDS = {
    Phase.DRAINING: {Phase.STOPPED, Phase.FAILED},
    Phase.STOPPED: set[Phase](),
    Phase.FAILED: set[Phase](),
}


class Engine(Protocol):
    """What is told of an engine; see `engine.run.EngineRun`."""

    @property
    def pid(self) -> int | None:
        """Its process; None while there is none."""

    @property
    def doing(self) -> str | None:
        """What its start is doing; None where none is under way."""

    @property
    def times(self) -> Times:
        """Of its start, once that is over."""


@dataclass(slots=True)
class Status:
    """The published view of the lifecycle. Written by the supervision loop alone."""

    mode: str
    model: str | None
    versions: dict[str, str | None]
    state: State
    engine: Callable[[], Engine | None] = lambda: None  # that runs now
    figures: Callable[[], Figures | None] = lambda: None  # of the proxy, in queue mode
    since: float = field(default_factory=time.time)
    times: Times = field(default_factory=Times)  # of the last start
    first_job: float | None = None  # seconds that the first engine waited for its first job
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, state: State) -> None:
        """Show `state`, and wake those who wait for it."""
        if state.phase is not self.state.phase:
            self.since = time.time()
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()

    def note(self, event: Event) -> None:
        """Keep what an event tells of the start: of the first one also when the first job came."""
        engine = self.engine()
        if isinstance(event, Ready) and engine is not None:
            self.times = engine.times
        first = isinstance(event, JobTaken) and not self.state.history.restarts
        if first and self.first_job is None:
            self.first_job = max(0.0, time.time() - self.since)

    async def wait_for(self, phase: Phase, timeout: float) -> bool:
        """Whether `phase` was reached within `timeout` seconds.

        False at once where it cannot be reached any more.
        """
        try:
            async with asyncio.timeout(timeout):
                while self.state.phase is not phase:
                    if self.state.phase in _ENDS and phase not in _ENDS[self.state.phase]:
                        return False
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

    @property
    def standing(self) -> Standing:
        """The body of `/status`."""
        figures, engine, history = self.figures(), self.engine(), self.state.history
        times = self.times.rounded()
        starts = self.state.phase in {Phase.STARTING, Phase.RESTARTING}
        return Standing(
            state=str(self.state.phase),
            since=round(self.since, 3),
            mode=self.mode,
            model=_masked(self.model),
            doing=engine.doing if engine is not None and starts else None,
            engine_pid=None if engine is None else engine.pid,
            restarts=history.restarts,
            last_failure=_masked(history.last_failure),
            exit_code=self.state.exit_code,
            answering=isinstance(self.state.end, Answering),
            phases=times.phases,
            start=[asdict(part) for part in times.parts],
            first_job=None if self.first_job is None else round(self.first_job, 3),
            jobs=None if figures is None else asdict(figures),
            versions=self.versions,
        )

    def as_prometheus(self) -> str:
        """The body of `/metrics`."""
        up = int(self.state.phase is Phase.READY)
        lines = [
            "# HELP vllm_supervisor_ready Whether the engine is ready.",
            "# TYPE vllm_supervisor_ready gauge",
            f"vllm_supervisor_ready {up}",
            "# HELP vllm_supervisor_restarts_total Starts of the engine after the first one.",
            "# TYPE vllm_supervisor_restarts_total counter",
            f"vllm_supervisor_restarts_total {self.state.history.restarts}",
            "# HELP vllm_supervisor_phase_seconds How long each phase of the start took.",
            "# TYPE vllm_supervisor_phase_seconds gauge",
        ]
        lines += [
            f'vllm_supervisor_phase_seconds{{phase="{name}"}} {seconds:.3f}'
            for name, seconds in self.times.phases.items()
        ]
        if self.first_job is not None:
            lines += _metric(
                "first_job_seconds",
                "gauge",
                "How long the first job was waited for.",
                self.first_job,
            )
        if (figures := self.figures()) is not None:
            for name, value in asdict(figures).items():
                lines += _metric(*_OF_JOBS[name], value)
        return "\n".join(lines) + "\n"


#: Each of the proxy's figures as a metric: its name, its type, what it counts.
_OF_JOBS = {
    "jobs": ("jobs_in_hand", "gauge", "Jobs that were taken and have not ended."),
    "taken": ("jobs_taken_total", "counter", "Jobs that were taken."),
    "answered": ("jobs_answered_total", "counter", "Jobs that ended with an answer."),
    "failed": ("jobs_failed_total", "counter", "Jobs that ended with an error."),
    "cancelled": ("jobs_cancelled_total", "counter", "Jobs that were cancelled."),
    "resent": ("jobs_resent_total", "counter", "Jobs sent to the engine a second time."),
    "refused": ("jobs_refused_total", "counter", "Jobs that the engine answered with a 4xx."),
    "engine_errors": ("engine_errors_total", "counter", "Answers of the engine with a 5xx."),
    "tokens": ("tokens_total", "counter", "Tokens in the answers."),
    "batches": ("batches_total", "counter", "Outputs handed to the platform."),
    "bytes": ("bytes_total", "counter", "Bytes of streams read from the engine."),
}


def _masked(text: str | None) -> str | None:
    return text and masked("", text)


def _metric(name: str, kind: str, meaning: str, value: float) -> list[str]:
    full = f"vllm_supervisor_{name}"
    return [f"# HELP {full} {meaning}", f"# TYPE {full} {kind}", f"{full} {value}"]
