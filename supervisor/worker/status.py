"""What the worker tells of itself: kept by the loop, read by `/ping`, `/status` and `metrics`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from .. import began
from ..link.figures import Figures
from ..link.standing import Standing
from ..secrets import masked
from ..status.parts import Times
from .lifecycle import Answering, Event, Following, JobTaken, Leading, Phase, Ready, State

#: What may follow where nothing goes back to work.
_ENDS = {
    Phase.DRAINING: {Phase.STOPPED, Phase.FAILED},
    Phase.STOPPED: set[Phase](),
    Phase.FAILED: set[Phase](),
}

#: No engine answers.
_WITHOUT = {Phase.STARTING, Phase.RESTARTING, Phase.FAILED}


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
        """Of its start, as far as that has come."""

    @property
    def seen(self) -> Mapping[Any, float]:
        """What its own metrics showed last, as `metrics.vllm` reads them."""


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
    cold_start: float | None = None  # seconds from the worker's beginning to the first ready engine
    gpu: str = "cpu"  # the first of this machine
    routes: frozenset[str] = frozenset()  # that jobs may ask for, in queue mode
    clock: Callable[[], float] = time.monotonic
    _unavailable: float = 0.0  # seconds, up to the last change of the phase
    _changed_at: float = field(init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._changed_at = self.clock()

    def publish(self, state: State) -> None:
        """Show `state`, and wake those who wait for it."""
        if state.phase is not self.state.phase:
            self.since = time.time()
            self._unavailable, self._changed_at = self.unavailable, self.clock()
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()

    def note(self, event: Event) -> None:
        """Keep what an event tells of the start: of the first one also when the first job came."""
        engine = self.engine()
        if isinstance(event, Ready) and engine is not None:
            self.times = engine.times
            if self.cold_start is None:
                self.cold_start = began.seconds_ago()
        first = isinstance(event, JobTaken) and not self.state.history.restarts
        if first and self.first_job is None:
            self.first_job = max(0.0, time.time() - self.since)

    @property
    def seen(self) -> Mapping[Any, float]:
        """What the engine's own metrics showed last; nothing where there is no engine."""
        engine = self.engine()
        return {} if engine is None else engine.seen

    @property
    def unavailable(self) -> float:
        """Seconds so far without a ready engine, those of the first start among them."""
        waited = self.clock() - self._changed_at if self.state.phase in _WITHOUT else 0.0
        return self._unavailable + waited

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
            doing=self._doing if starts else None,
            engine_pid=None if engine is None else engine.pid,
            restarts=history.restarts,
            last_failure=_masked(history.last_failure),
            exit_code=self.state.exit_code,
            answering=isinstance(self.state.end, Answering),
            phases=times.phases,
            start=[asdict(part) for part in times.parts],
            first_job=None if self.first_job is None else round(self.first_job, 3),
            jobs=None if figures is None else figures.totals,
            versions=self.versions,
            **_among_nodes(self.state),
        )

    @property
    def _doing(self) -> str | None:
        """What a start is at, which may be to wait for other nodes."""
        if self.state.group is not None:
            from .lifecycle.cluster import talk

            if (waits := talk.waits_for(self.state)) is not None:
                return waits
        engine = self.engine()
        return None if engine is None else engine.doing


def _among_nodes(state: State) -> dict[str, Any]:
    """What is told of the other nodes; nothing where there is none."""
    match state.group:
        case Leading() as group:
            from .lifecycle.cluster import talk

            missing = talk.absent(state, group)
            return _node("leader", 0, group.generation, missing)
        case Following() as group:
            return _node("follower", group.rank, group.generation, group.missing)
    return {}


def _node(role: str, rank: int, generation: int, missing: tuple[int, ...]) -> dict[str, Any]:
    return {"role": role, "rank": rank, "generation": generation, "missing": list(missing)}


def _masked(text: str | None) -> str | None:
    return text and masked("", text)
