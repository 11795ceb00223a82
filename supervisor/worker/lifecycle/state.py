"""Where the worker stands: the engine, the proxy and the end, each one of a few types.

Each type carries what is true in it alone, its own deadline among it, so that no state can be
written that cannot be. The phase that `/status` shows is derived. Times are seconds on the caller's
monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from .events import ExitCode


class Phase(StrEnum):
    """Where the worker stands, as `/status` shows it."""

    STARTING = "STARTING"
    READY = "READY"
    RESTARTING = "RESTARTING"
    DRAINING = "DRAINING"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


# --- the engine ---


@dataclass(frozen=True, slots=True)
class NoEngine:
    """None, and none will be started: the worker is ending."""


@dataclass(frozen=True, slots=True)
class BackingOff:
    """None; the next one is started at `until`."""

    until: float


@dataclass(frozen=True, slots=True)
class Starting:
    """Spawned, and not ready yet; killed at `until`."""

    until: float


@dataclass(frozen=True, slots=True)
class Serving:
    """Ready since `since`, with `missed` probes in a row that were not answered."""

    since: float
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Leaving:
    """On its way out: it says that it is dead, has `ended`, or was told to; killed at `until`."""

    until: float
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Killed:
    """SIGKILL was sent; given up at `until`.

    `why` is our reason; None where the cause is the engine's own. `late`: it had not become ready
    in time.
    """

    until: float
    why: str | None = None
    late: bool = False


Engine = NoEngine | BackingOff | Starting | Serving | Leaving | Killed
Process = Starting | Serving | Leaving | Killed


# --- the proxy ---


@dataclass(frozen=True, slots=True)
class NoProxy:
    """None, and none will be started: not in this mode, or not any more."""


@dataclass(frozen=True, slots=True)
class ProxyRunning:
    """Spawned at `since`."""

    since: float


@dataclass(frozen=True, slots=True)
class ProxyWaiting:
    """None; the next one is started at `until`. `jobs_left`: the last one had jobs in hand."""

    until: float
    jobs_left: bool = False


@dataclass(frozen=True, slots=True)
class ProxyKilled:
    """SIGKILL was sent; given up at `until`."""

    until: float


Proxy = NoProxy | ProxyRunning | ProxyWaiting | ProxyKilled


# --- the end ---


class Stage(StrEnum):
    """What a drain waits for."""

    JOBS = "the jobs in hand"
    ABORT = "the errors of jobs that were cut"
    PROCESSES = "the end of our processes"


@dataclass(frozen=True, slots=True)
class Draining:
    """The worker was asked to stop.

    Attributes:
        stage: what is waited for.
        until: when that is cut short; None where the processes have deadlines of their own.
        proxies: how many were started for jobs of one that had died.
        stuck: a process was killed and did not end.
    """

    stage: Stage
    until: float | None = None
    proxies: int = 0
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class GivingUp:
    """The worker will end with `code`; until then the proxy tells the platform and each job why.

    `aborted`: it was told to end its jobs at once. `proxies` as in `Draining`.
    """

    code: ExitCode
    until: float
    aborted: bool = False
    proxies: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """It is over."""

    code: ExitCode


End = Draining | GivingUp | Finished


# --- all of it ---


@dataclass(frozen=True, slots=True)
class History:
    """What happened before, where it still matters.

    Attributes:
        failures: ends of the engine since it last was healthy for long.
        restarts: starts of the engine after the first one.
        was_ready: some engine was, at some time.
        proxy_failures: ends of the proxy since it last ran for long.
        last_failure: the last cause; one sentence.
    """

    failures: int = 0
    restarts: int = 0
    was_ready: bool = False
    proxy_failures: int = 0
    last_failure: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Where the worker stands. `end` is None while it works."""

    engine: Engine = field(default_factory=NoEngine)
    proxy: Proxy = field(default_factory=NoProxy)
    end: End | None = None
    history: History = field(default_factory=History)

    @property
    def phase(self) -> Phase:
        """As `/status` shows it."""
        match self.end:
            case Draining():
                return Phase.DRAINING
            case Finished(code=ExitCode.OK):
                return Phase.STOPPED
            case GivingUp() | Finished():
                return Phase.FAILED
        if isinstance(self.engine, Serving):
            return Phase.READY
        first = not self.history.was_ready and not self.history.failures
        return Phase.STARTING if first else Phase.RESTARTING

    @property
    def due(self) -> float | None:
        """When `Due` is to be delivered; None: something else will happen first."""
        match self.end:
            case Finished():
                return None
            case GivingUp(until=until):
                return until
        deadlines = [_deadline(part) for part in (self.engine, self.proxy, self.end)]
        return min((when for when in deadlines if when is not None), default=None)

    @property
    def exit_code(self) -> ExitCode | None:
        """What the worker ends with, once that is decided."""
        return self.end.code if isinstance(self.end, GivingUp | Finished) else None


def _deadline(part: Engine | Proxy | End | None) -> float | None:
    match part:
        case (
            BackingOff(until=until)
            | Starting(until=until)
            | Leaving(until=until)
            | Killed(until=until)
            | ProxyWaiting(until=until)
            | ProxyKilled(until=until)
            | Draining(until=until)
        ):
            return until
    return None
