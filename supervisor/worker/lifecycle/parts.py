"""The engine, the proxy and the end: each is one of a few types, with what is true in it alone.

Times are seconds on the caller's monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TypeVar

from ...diagnosis import kinds
from .events import ExitCode

T = TypeVar("T")

# --- the engine ---


@dataclass(frozen=True, slots=True)
class NoEngine:
    """None, and none will be started: only while the worker ends."""


@dataclass(frozen=True, slots=True)
class BackingOff:
    """None; the next one is started at `until`. `spawned`: there was one before it."""

    until: float
    spawned: bool = True


@dataclass(frozen=True, slots=True)
class Awaiting:
    """None: not all nodes that serve one model are ready for the next one; given up at `until`."""

    until: float


@dataclass(frozen=True, slots=True)
class Starting:
    """Spawned, and not ready yet, which includes its warm-up; killed at `until`."""

    until: float


@dataclass(frozen=True, slots=True)
class Serving:
    """Ready since `since`, with `missed` probes in a row that were not answered."""

    since: float
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Leaving:
    """On its way out: it says that it is dead, has `ended`, or was told to; killed at `until`.

    `sick`: it served until it said so, and does again if it takes that back.
    """

    until: float
    ended: bool = False
    sick: Serving | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why we killed an engine.

    `kind`: its short name. `late`: it was not ready in time. `guess`: what its own lines say
    is better. `final`: another start would end so, too. `wanting`: as of `Exited`, elsewhere.
    """

    words: str
    kind: str = kinds.UNKNOWN
    late: bool = False
    guess: bool = False
    final: bool = False
    wanting: bool = False


@dataclass(frozen=True, slots=True)
class Killed:
    """SIGKILL was sent; given up at `until`. `why` is None where the cause is the engine's own."""

    until: float
    why: Reason | None = None


Engine = NoEngine | BackingOff | Awaiting | Starting | Serving | Leaving | Killed
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


@dataclass(frozen=True, slots=True)
class StillServing:
    """The worker was asked to stop and says so; until `until` requests come and are answered."""

    until: float


@dataclass(frozen=True, slots=True)
class Parting:
    """This node of several was asked to stop: its engine stays until rank 0, or whoever else
    answers requests, has drained, or until `until`.
    """

    until: float


@dataclass(frozen=True, slots=True)
class DrainingJobs:
    """The worker was asked to stop, and jobs in hand have until `until`.

    Attributes:
        until: when this is cut short.
        aborted: the proxy was told to end them with an error.
        proxies: how many were started for jobs of one that had died.
        stuck: a process was killed and did not end.
        done: none is in hand any more, and the engine stays for those of other nodes.
    """

    until: float
    aborted: bool = False
    proxies: int = 0
    stuck: bool = False
    done: bool = False


@dataclass(frozen=True, slots=True)
class DrainingProcesses:
    """No job is in hand any more: our processes end, each by a deadline of its own.

    `stuck`: one was killed and did not end.
    """

    stuck: bool = False


@dataclass(frozen=True, slots=True)
class Answering:
    """The worker will end with `code`; until then the proxy answers each job with the cause.

    Attributes:
        code: what the worker ends with.
        until: when this ends: a time for the proxy's start, and then that for its answers.
        quiet_since: when a job was in hand last; None: the proxy takes none yet.
        taken: how many jobs had been taken then.
        proxies: how many were started for one that had died.
    """

    code: ExitCode
    until: float
    quiet_since: float | None = None
    taken: int = 0
    proxies: int = 0


@dataclass(frozen=True, slots=True)
class GivingUp:
    """The worker will end with `code`; until then the proxy tells the platform and each job why.

    `aborted`: it was told to end its jobs at once. `proxies` as in `DrainingJobs`.
    """

    code: ExitCode
    until: float
    aborted: bool = False
    proxies: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """It is over: the caller kills what still runs, and ends with `code`."""

    code: ExitCode


End = StillServing | Parting | DrainingJobs | DrainingProcesses | Answering | GivingUp | Finished


def deadline(part: Engine | Proxy | End | None) -> float | None:
    """When its time is up; None where it waits for nothing, or for ever."""
    match part:
        case (
            BackingOff(until=until)
            | Awaiting(until=until)
            | Starting(until=until)
            | Leaving(until=until)
            | Killed(until=until)
            | ProxyWaiting(until=until)
            | ProxyKilled(until=until)
            | StillServing(until=until)
            | Parting(until=until)
            | DrainingJobs(until=until)
        ):
            return until
    return None


#: Fields that are times on the clock.
_TIMES = {"since", "until", "quiet_since"}


def later(part: T, seconds: float) -> T:
    """`part` with every time in it so many seconds later."""
    changed: dict[str, object] = {}
    for each in fields(part):  # type: ignore[arg-type]  # each part is a dataclass
        value = getattr(part, each.name)
        if each.name in _TIMES and value is not None:
            changed[each.name] = value + seconds
        elif isinstance(value, Serving):
            changed[each.name] = later(value, seconds)
    return replace(part, **changed)  # type: ignore[type-var]
