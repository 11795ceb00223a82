"""The lifecycle of the worker as a pure function: `(state, event, now) -> (state, actions)`.

::

    STARTING --ready--> READY --exit, hung--> RESTARTING --ready--> READY
        |                 |                       |
        +------ exit, late: RESTARTING            +-- restarts used up, late --> FAILED
        +------ configuration error --> FAILED
    any of these --stop--> DRAINING --jobs done, engine gone--> STOPPED

STARTING is the first start. RESTARTING covers the back-off and the starts after the first one.
`Exited` means that the engine's whole process group is gone, so two engines never run at once.
A state has at most one deadline; the caller delivers `Due` when it has passed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum


class Phase(StrEnum):
    """Where the worker stands, as `/status` shows it."""

    STARTING = "STARTING"
    READY = "READY"
    RESTARTING = "RESTARTING"
    DRAINING = "DRAINING"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


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
    KILL_PROXY = "SIGKILL to the proxy"
    EXIT = "end the worker"


# --- events ---


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine answered 200 on /health."""


@dataclass(frozen=True, slots=True)
class Exited:
    """The engine's process group is gone. `code` is negative for a signal, as in `subprocess`.

    `reason` is the cause in one sentence; `final` that another start would end the same way;
    `left` that some of the group could not be killed, so that nothing may be started beside it.
    """

    code: int
    reason: str
    final: bool = False
    left: bool = False


@dataclass(frozen=True, slots=True)
class Probed:
    """The answer of a probe while the engine was ready."""

    healthy: bool


@dataclass(frozen=True, slots=True)
class ProxyExited:
    """The proxy has ended, by itself or because it was told to."""

    code: int


@dataclass(frozen=True, slots=True)
class JobsDone:
    """No request runs any more."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The worker was asked to stop; the second one skips the waiting."""


@dataclass(frozen=True, slots=True)
class Due:
    """The state's deadline has passed."""


Event = Ready | Exited | Probed | ProxyExited | JobsDone | Stop | Due


@dataclass(frozen=True, slots=True)
class Policy:
    """Times in seconds; every figure has its reason beside it."""

    startup_timeout: float = 1200.0
    drain_timeout: float = 60.0
    max_restarts: int = 5
    engine_drains_itself: bool = False
    backoff_first: float = 1.0
    backoff_most: float = 60.0
    healthy_again: float = 600.0  # after ten healthy minutes a crash is a new story
    hung_after: int = 3  # one lost probe is noise, three in a row are an engine that hangs
    stop_grace: float = 10.0  # an idle engine ends 1.6 s after SIGTERM; then SIGKILL


@dataclass(frozen=True, slots=True)
class State:
    """Where the worker stands. Times are on the caller's monotonic clock."""

    phase: Phase = Phase.STARTING
    since: float = 0.0
    deadline: float | None = None
    engine: bool = False
    proxy: bool = False
    failures: int = 0
    restarts: int = 0
    failed_probes: int = 0
    late: bool = False
    reason: str | None = None  # why the engine is being killed, until it is gone
    last_failure: str | None = None
    exit_code: int | None = None


Step = tuple[State, tuple[Action, ...]]


def begin(policy: Policy, now: float, *, proxy: bool) -> Step:
    """The first step: spawn the engine, and the proxy beside it in queue mode."""
    state = State(since=now, deadline=now + policy.startup_timeout, engine=True, proxy=proxy)
    spawn_proxy = (Action.SPAWN_PROXY,) if proxy else ()
    return state, (Action.SPAWN_ENGINE, *spawn_proxy)


def step(state: State, event: Event, policy: Policy, now: float, jitter: float = 0.0) -> Step:
    """What `event` makes of `state`. `jitter`, 0 to 1, spreads the back-off of many workers."""
    if state.phase in {Phase.STOPPED, Phase.FAILED}:
        return state, ()
    match event:
        case Stop():
            return _stop(state, policy, now)
        case Due():
            return _due(state, policy, now)
        case Exited():
            return _exited(state, event, policy, now, jitter)
        case ProxyExited():
            return _proxy_exited(state, event, policy, now)
        case JobsDone() if state.phase is Phase.DRAINING:
            return _stop_engine(state, policy, now)
        case Ready() if state.phase in {Phase.STARTING, Phase.RESTARTING} and state.engine:
            return replace(state, phase=Phase.READY, since=now, deadline=None, failed_probes=0), ()
        case Probed(healthy) if state.phase is Phase.READY:
            return _probed(state, policy, now, healthy=healthy)
    return state, ()


def _probed(state: State, policy: Policy, now: float, *, healthy: bool) -> Step:
    if healthy:
        recovered = state.failures and now - state.since >= policy.healthy_again
        return replace(state, failed_probes=0, failures=0 if recovered else state.failures), ()
    failed = state.failed_probes + 1
    if failed < policy.hung_after:
        return replace(state, failed_probes=failed), ()
    reason = f"the engine did not answer {failed} health probes in a row"
    hung = replace(state, phase=Phase.RESTARTING, since=now, deadline=None, reason=reason)
    return hung, (Action.KILL_ENGINE,)


def _exited(state: State, event: Exited, policy: Policy, now: float, jitter: float) -> Step:
    state = replace(state, engine=False)
    if state.phase is Phase.DRAINING:
        # The jobs in hand cannot be finished without an engine; the proxy has to say so to each.
        return _end_or_wait(replace(state, deadline=now + policy.stop_grace), now)
    if state.phase is Phase.READY and now - state.since >= policy.healthy_again:
        state = replace(state, failures=0)
    state = replace(state, reason=None, last_failure=state.reason or event.reason)
    if event.left:
        return _fail(state, ExitCode.UNEXPECTED, now)
    if event.final and state.phase is Phase.STARTING:
        spawn_codes = {ExitCode.NOT_EXECUTABLE, ExitCode.NOT_FOUND}
        code = ExitCode(event.code) if event.code in spawn_codes else ExitCode.CONFIGURATION
        return _fail(state, code, now)
    if state.failures >= policy.max_restarts:
        code = ExitCode.NOT_READY_IN_TIME if state.late else ExitCode.RESTARTS_USED_UP
        return _fail(state, code, now)
    delay = backoff(state.failures, policy, jitter)
    return replace(
        state,
        phase=Phase.RESTARTING,
        since=now,
        deadline=now + delay,
        failures=state.failures + 1,
        late=False,
    ), ()


def backoff(failures: int, policy: Policy, jitter: float) -> float:
    """Seconds before the next start: doubling, with up to half of it taken off by `jitter`."""
    full = min(policy.backoff_most, policy.backoff_first * 2.0**failures)
    return full * (1.0 - 0.5 * jitter)


def _due(state: State, policy: Policy, now: float) -> Step:
    if state.deadline is None or now < state.deadline:
        return state, ()
    if state.phase is Phase.DRAINING:
        return _drain_is_over(state, policy, now)
    if state.engine:
        reason = f"the engine was not ready after {policy.startup_timeout:.0f} s"
        return replace(state, deadline=None, late=True, reason=reason), (Action.KILL_ENGINE,)
    deadline = now + policy.startup_timeout
    starting = replace(state, deadline=deadline, engine=True, restarts=state.restarts + 1)
    return starting, (Action.SPAWN_ENGINE,)


def _stop(state: State, policy: Policy, now: float) -> Step:
    if state.phase is Phase.DRAINING:
        kill_proxy = (Action.KILL_PROXY,) if state.proxy else ()
        kill_engine = (Action.KILL_ENGINE,) if state.engine else ()
        return replace(state, deadline=None), (*kill_proxy, *kill_engine)
    was_ready = state.phase is Phase.READY
    state = replace(state, phase=Phase.DRAINING, since=now)
    if not was_ready:
        # No job can be in an engine that is not ready: nothing is worth waiting for.
        drain = (Action.DRAIN_JOBS,) if state.proxy else ()
        kill = (Action.KILL_ENGINE,) if state.engine else ()
        return _end_or_wait(replace(state, deadline=now + policy.stop_grace), now, (*drain, *kill))
    if policy.engine_drains_itself and not state.proxy:
        deadline = now + policy.drain_timeout + policy.stop_grace
        return replace(state, deadline=deadline), (Action.TERMINATE_ENGINE,)
    return replace(state, deadline=now + policy.drain_timeout), (Action.DRAIN_JOBS,)


def _proxy_exited(state: State, event: ProxyExited, policy: Policy, now: float) -> Step:
    if state.phase is not Phase.DRAINING:
        if event.code in {ExitCode.UNEXPECTED, ExitCode.CONFIGURATION}:
            # The SDK's fitness checks end it with 1; neither that nor a setting mends itself.
            failure = f"the proxy ended with code {event.code}; its lines above say why"
            failed = replace(state, proxy=False, last_failure=failure)
            return _fail(failed, ExitCode(event.code), now)
        return state, (Action.SPAWN_PROXY,)
    return _stop_engine(replace(state, proxy=False), policy, now)


def _stop_engine(state: State, policy: Policy, now: float) -> Step:
    if not state.engine:
        return _end_or_wait(state, now)
    return replace(state, deadline=now + policy.stop_grace), (Action.TERMINATE_ENGINE,)


def _drain_is_over(state: State, policy: Policy, now: float) -> Step:
    """The jobs, or after them the engine, have had their time."""
    if state.proxy:
        kill = (Action.KILL_PROXY,)
        return replace(state, deadline=now + policy.stop_grace), kill
    if state.engine:
        return replace(state, deadline=None), (Action.KILL_ENGINE,)
    return _end_or_wait(state, now)


def _end_or_wait(state: State, now: float, actions: tuple[Action, ...] = ()) -> Step:
    if state.engine or state.proxy:
        return state, actions
    stopped = replace(
        state, phase=Phase.STOPPED, since=now, deadline=None, exit_code=int(ExitCode.OK)
    )
    return stopped, (*actions, Action.EXIT)


def _fail(state: State, code: ExitCode, now: float) -> Step:
    kill_proxy = (Action.KILL_PROXY,) if state.proxy else ()
    failed = replace(state, phase=Phase.FAILED, since=now, deadline=None, exit_code=int(code))
    return failed, (*kill_proxy, Action.EXIT)
