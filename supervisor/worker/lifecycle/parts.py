"""The engine, the proxy and the end: each is one of a few types, with what is true in it alone.

Times are seconds on the caller's monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from .events import ExitCode

# --- the engine ---


@dataclass(frozen=True, slots=True)
class NoEngine:
    """None, and none will be started: only while the worker ends."""


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
class Reason:
    """Why we killed an engine. `late`: it had not become ready in time."""

    words: str
    late: bool = False


@dataclass(frozen=True, slots=True)
class Killed:
    """SIGKILL was sent; given up at `until`. `why` is None where the cause is the engine's own."""

    until: float
    why: Reason | None = None


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


@dataclass(frozen=True, slots=True)
class DrainingJobs:
    """The worker was asked to stop, and jobs in hand have until `until`.

    Attributes:
        until: when this is cut short.
        aborted: the proxy was told to end them with an error.
        proxies: how many were started for jobs of one that had died.
        stuck: a process was killed and did not end.
    """

    until: float
    aborted: bool = False
    proxies: int = 0
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class DrainingProcesses:
    """No job is in hand any more: our processes end, each by a deadline of its own.

    `stuck`: one was killed and did not end.
    """

    stuck: bool = False


Draining = DrainingJobs | DrainingProcesses


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


End = DrainingJobs | DrainingProcesses | GivingUp | Finished


def deadline(part: Engine | Proxy | End | None) -> float | None:
    """When its time is up; None where it waits for nothing, or for ever."""
    match part:
        case (
            BackingOff(until=until)
            | Starting(until=until)
            | Leaving(until=until)
            | Killed(until=until)
            | ProxyWaiting(until=until)
            | ProxyKilled(until=until)
            | DrainingJobs(until=until)
        ):
            return until
    return None
