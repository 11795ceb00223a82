"""Where the worker stands: the engine, the proxy, the end, and what happened before.

Each of the `parts` carries what is true in it alone, its own deadline among it, and `State` takes
only those together that can be together. The phase that `/status` shows is derived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import NoneType

from ...diagnosis import kinds
from .events import ExitCode
from .group import Following, Group
from .parts import (
    Answering,
    Awaiting,
    BackingOff,
    DrainingJobs,
    DrainingProcesses,
    End,
    Engine,
    Finished,
    GivingUp,
    Killed,
    Leaving,
    NoEngine,
    NoProxy,
    Parting,
    Proxy,
    ProxyKilled,
    ProxyRunning,
    ProxyWaiting,
    Serving,
    Starting,
    StillServing,
    deadline,
    later,
)


class Phase(StrEnum):
    """Where the worker stands, as `/status` shows it."""

    STARTING = "STARTING"
    READY = "READY"
    RESTARTING = "RESTARTING"
    DRAINING = "DRAINING"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class History:
    """What happened before, where it still matters.

    Attributes:
        failures: ends of the engine since it last was healthy for long.
        restarts: starts of the engine after the first one.
        restarts_by: the same, by the short name of what ended the engine before.
        was_ready: some engine was, at some time.
        wanting: how often in a row none could be spawned for want of something.
        proxy_failures: ends of the proxy since it last ran for long.
        proxy_restarts: starts of the proxy after the first one.
        last_failure: the last cause; one sentence.
        engine_ended_by: the short name of what ended the last engine; see `diagnosis.kinds`.
    """

    failures: int = 0
    restarts: int = 0
    restarts_by: Mapping[str, int] = field(default_factory=dict)
    was_ready: bool = False
    wanting: int = 0
    proxy_failures: int = 0
    proxy_restarts: int = 0
    last_failure: str | None = None
    engine_ended_by: str = kinds.UNKNOWN

    def restarted(self) -> History:
        """The same after one more start of the engine."""
        by = self.engine_ended_by
        counts = {**self.restarts_by, by: self.restarts_by.get(by, 0) + 1}
        return replace(self, restarts=self.restarts + 1, restarts_by=counts)


#: The engines and the proxies that there can be in each end, and while there is none.
_POSSIBLE: Mapping[type, tuple[tuple[type, ...], tuple[type, ...]]] = {
    NoneType: (
        (BackingOff, Awaiting, Starting, Serving, Leaving, Killed),
        (NoProxy, ProxyRunning, ProxyWaiting),
    ),
    Parting: ((Awaiting, Starting, Serving, Leaving, Killed), (NoProxy,)),
    StillServing: ((Serving,), (NoProxy, ProxyRunning, ProxyWaiting)),
    DrainingJobs: ((NoEngine, Serving, Killed), (NoProxy, ProxyRunning)),
    DrainingProcesses: ((NoEngine, Serving, Leaving, Killed), (NoProxy, ProxyKilled)),
    Answering: ((NoEngine,), (ProxyRunning,)),
    GivingUp: ((NoEngine, Starting, Serving, Leaving, Killed), (ProxyRunning,)),
    Finished: ((NoEngine,), (NoProxy,)),
}


@dataclass(frozen=True, slots=True)
class State:
    """Where the worker stands. `end` is None while it works, `group` where it serves alone.

    Raises:
        ValueError: these three cannot be together.
    """

    engine: Engine
    proxy: Proxy
    end: End | None = None
    history: History = field(default_factory=History)
    group: Group | None = None

    def __post_init__(self) -> None:
        engines, proxies = _POSSIBLE[type(self.end)]
        if type(self.engine) not in engines or type(self.proxy) not in proxies:
            raise ValueError(f"no worker stands so: {self.engine}, {self.proxy}, {self.end}")

    @property
    def phase(self) -> Phase:
        """As `/status` shows it."""
        match self.end:
            case StillServing() | Parting() | DrainingJobs() | DrainingProcesses():
                return Phase.DRAINING
            case Finished(code=ExitCode.OK):
                return Phase.STOPPED
            case Answering() | GivingUp() | Finished():
                return Phase.FAILED
        if isinstance(self.engine, Serving):
            return self._as_rank_0_says
        first = not self.history.was_ready and not self.history.failures
        return Phase.STARTING if first else Phase.RESTARTING

    @property
    def due(self) -> float | None:
        """When `Due` is to be delivered; None: something else will happen first."""
        match self.end:
            case Finished():
                return None
            case StillServing(until=until) | Answering(until=until) | GivingUp(until=until):
                return until
        deadlines = [deadline(part) for part in (self.engine, self.proxy, self.end)]
        deadlines.append(self._silence)
        return min((when for when in deadlines if when is not None), default=None)

    def thawed(self, seconds: float) -> State:
        """This state after that many seconds in which nothing ran: every deadline is as far away
        as before, and a probe that was missed proves nothing.
        """
        engine = later(self.engine, seconds)
        if isinstance(engine, Serving):
            engine = replace(engine, missed=0)
        end = None if self.end is None else later(self.end, seconds)
        group = None if self.group is None else self.group.later(seconds)
        return replace(self, engine=engine, proxy=later(self.proxy, seconds), end=end, group=group)

    @property
    def exit_code(self) -> ExitCode | None:
        """What the worker ends with, once that is decided."""
        return self.end.code if isinstance(self.end, Answering | GivingUp | Finished) else None

    @property
    def lost_a_node(self) -> bool:
        """Whether the engine is killed because another node is gone: nothing that any engine was
        asked has a part in that. Rank 0 says no cause to a follower, but who is missing.
        """
        why = self.engine.why if isinstance(self.engine, Killed) else None
        if why is None or why.kind != kinds.ORDERED:
            return why is not None and why.kind == kinds.NODE_LOST
        return isinstance(self.group, Following) and bool(self.group.missing)

    @property
    def _as_rank_0_says(self) -> Phase:
        """Of a node whose engine serves: a headless one is as ready as rank 0."""
        match self.group:
            case Following(phase=Phase.DRAINING):
                return Phase.DRAINING
            case Following(headless=True, phase=phase) if phase != Phase.READY:
                return Phase.RESTARTING
        return Phase.READY

    @property
    def _silence(self) -> float | None:
        """When another node that says nothing counts as gone, where that matters."""
        if self.group is None or not isinstance(self.end, DrainingJobs | Parting | None):
            return None
        runs = isinstance(self.engine, Starting | Serving)
        return self.group.due if runs or not isinstance(self.group, Following) else None
