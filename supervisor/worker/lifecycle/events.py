"""What comes into the lifecycle, and what goes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from ...diagnosis import kinds
from .orders import Hindered, NoAnswer, Ordered, Prepared, Reported, Unheard


class ExitCode(IntEnum):
    """What the worker ends with when the lifecycle decides it."""

    OK = 0
    UNEXPECTED = 1
    RESTARTS_USED_UP = 70
    NOT_READY_IN_TIME = 71
    CONFIGURATION = 78
    NOT_EXECUTABLE = 126
    NOT_FOUND = 127
    OUT_OF_MEMORY = 137


class Action(StrEnum):
    """What the caller has to do, in the order given."""

    SPAWN_ENGINE = "spawn the engine"
    TERMINATE_ENGINE = "SIGTERM to the engine"
    KILL_ENGINE = "SIGKILL to the engine's group"
    SPAWN_PROXY = "spawn the proxy"
    DRAIN_JOBS = "take no more jobs, finish those in hand"
    ABORT_JOBS = "end jobs in hand with an error"
    KILL_PROXY = "SIGKILL to the proxy"
    TELL_PLATFORM = "tell the platform that the worker is unhealthy"
    COUNT_READY = "rank 0 is ready: the start of this engine is over"
    EXIT = "end the worker"


@dataclass(frozen=True, slots=True)
class Warming:
    """The engine answered 200 on /health, and may take so many seconds more to be warmed up."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine answered 200 on /health and is warm, so many seconds after its spawn."""

    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class CannotFit:
    """No start on this machine can succeed: the weights are larger than the memory for them.

    `cause` is a sentence with its remedy.
    """

    cause: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The engine's own process has ended; others of its group may go on for a while."""


@dataclass(frozen=True, slots=True)
class Exited:
    """The engine's whole process group is gone, or the engine could not be spawned.

    Attributes:
        cause: why, by what the engine said; one sentence with its remedy.
        kind: the short name of that cause; see `diagnosis.kinds`.
        final: another start would end the same way.
        code: the exit code of its own process, negative for a signal; None: it was not spawned.
        doing: what a start was doing; None for an engine that had been ready.
        left: some of the group could not be killed, so that nothing may be started beside it.
        out_of_memory: the kernel killed a process for memory shortly before.
        told: the engine's own lines say why, also where we killed it.
        said: that in its own words, for the log alone.
        shared: every worker of the endpoint meets that cause; see `diagnosis.rules`.
        excused: a job that had ended engines before was alone in it, and answers for this end.
        wanting: it was not spawned because no descriptor, process or thread was left, which is no
            fault of its.
    """

    cause: str
    kind: str = kinds.UNKNOWN
    final: bool = False
    code: int | None = None
    doing: str | None = None
    left: bool = False
    out_of_memory: bool = False
    told: bool = False
    said: str = ""
    shared: bool = False
    excused: bool = False
    wanting: bool = False


@dataclass(frozen=True, slots=True)
class Probed:
    """A probe after the engine was ready: it is healthy, or `sick` by its own answer, or silent."""

    healthy: bool
    sick: bool = False


@dataclass(frozen=True, slots=True)
class Stalled:
    """Requests run, and for this many seconds nothing has moved nor was a probe answered."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ProxyExited:
    """The proxy has ended, by itself or because it was told to, or could not be spawned.

    Attributes:
        code: its exit code, negative for a signal; None: it was not spawned.
        cause: what it said of its end, or why it was not spawned.
        jobs: how many it had in hand: the next one answers them, or tells them why not.
        wanting: it was not spawned because no descriptor, process or thread was left.
    """

    code: int | None
    cause: str | None = None
    jobs: int = 0
    wanting: bool = False

    @property
    def unfit(self) -> bool:
        """The SDK's fitness checks ended it, which say why; else 1 is a fault of the proxy's."""
        return self.code == ExitCode.UNEXPECTED and self.cause is not None

    @property
    def told(self) -> bool:
        """It told the platform why the worker ends, or was asked to end without a word."""
        return self.unfit or self.code in {ExitCode.OK, ExitCode.CONFIGURATION}

    @property
    def words(self) -> str:
        """Its end as a sentence."""
        if self.code is None:
            return f"the proxy could not be started: {self.cause}"
        return self.cause or f"the proxy ended with code {self.code}; its lines above say why"


@dataclass(frozen=True, slots=True)
class JobTaken:
    """The proxy has taken its first job."""


@dataclass(frozen=True, slots=True)
class JobsSeen:
    """A look at the jobs of a proxy that takes some: in hand now, and taken since the start."""

    in_hand: int
    taken: int


@dataclass(frozen=True, slots=True)
class JobsDone:
    """No request runs any more."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The worker was asked to stop; the second one skips the waiting."""


@dataclass(frozen=True, slots=True)
class Thawed:
    """Nothing of the worker ran for so many seconds: what was waited for had no time either."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Due:
    """The state's deadline has passed."""


Event = (
    Warming
    | Ready
    | CannotFit
    | Ended
    | Exited
    | Probed
    | Stalled
    | ProxyExited
    | JobTaken
    | JobsSeen
    | JobsDone
    | Stop
    | Thawed
    | Prepared
    | Hindered
    | NoAnswer
    | Reported
    | Ordered
    | Unheard
    | Due
)
