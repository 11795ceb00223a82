"""The lifecycle of the worker as a pure function: `(state, event, now) -> (state, actions)`.

::

    STARTING --ready--> READY --exit, hung, stalled, dead--> RESTARTING --ready--> READY
        |                 |                                    |
        +------ exit, late: RESTARTING                         +-- restarts used up --> FAILED
        +------ configuration error --> FAILED
    any of these --stop--> DRAINING --jobs done, engine gone--> STOPPED

STARTING is the first start. RESTARTING covers the end of a lost engine, the back-off and the starts
after the first one. `Exited` means that the engine's whole process group is gone, so two engines
never run at once. FAILED goes on until the proxy has told each job, and the platform, why.

Everything that is waited for has a deadline; the caller delivers `Due` when `due` has passed.
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
    ABORT_JOBS = "end jobs in hand with an error"
    KILL_PROXY = "SIGKILL to the proxy"
    EXIT = "end the worker"


# --- events ---


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine answered 200 on /health."""


@dataclass(frozen=True, slots=True)
class Exited:
    """The engine's process group is gone.

    `cause` is one sentence. `final` says that another start would end the same way, `left` that
    some of the group could not be killed, so that nothing may be started beside it. `exit_code` is
    what the worker ends with if this end of the engine is its own, `at` what a start that we killed
    was doing. `own` says that the cause is the engine's, also where we killed what was left of it.
    """

    cause: str
    at: str | None = None
    final: bool = False
    left: bool = False
    exit_code: ExitCode | None = None
    own: bool = False


@dataclass(frozen=True, slots=True)
class Probed:
    """The answer of a probe while the engine was ready. `dead`: the engine says so itself."""

    healthy: bool
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Stalled:
    """Requests run, and for this many seconds nothing has moved nor was a probe answered."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ProxyExited:
    """The proxy has ended, by itself or because it was told to. `cause`: what it said of it.

    `jobs` says that it had some in hand: the next one answers them, or tells them why not.
    """

    code: int
    cause: str | None = None
    jobs: bool = False


@dataclass(frozen=True, slots=True)
class JobsDone:
    """No request runs any more."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The worker was asked to stop; the second one skips the waiting."""


@dataclass(frozen=True, slots=True)
class Due:
    """The state's deadline has passed."""


Event = Ready | Exited | Probed | Stalled | ProxyExited | JobsDone | Stop | Due


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
    proxy_backoff_most: float = 5.0  # jobs wait for it, and its start costs no model
    proxy_healthy_again: float = 60.0
    hung_after: int = 3  # one lost probe is noise, three in a row are an engine that hangs
    stop_grace: float = 10.0  # an idle engine ends 1.6 s after SIGTERM; then SIGKILL
    end_grace: float = 15.0  # an engine that calls itself dead ends within 3 s; then SIGKILL
    kill_grace: float = 60.0  # a killed process may hang in a driver; then it is given up
    tell_grace: float = 10.0  # for the proxy to tell the platform and each job why it fails
    last_proxies: int = 2  # for jobs of one that died in the end; a third would die of the same
    abort_grace: float = 5.0  # the same where somebody wants the worker gone


class Stage(StrEnum):
    """What DRAINING waits for."""

    JOBS = "the jobs in hand"
    ABORT = "the errors of jobs that were cut"
    ENGINE = "the engine's end"
    KILL = "the end of killed processes"


@dataclass(frozen=True, slots=True)
class State:
    """Where the worker stands. Times are on the caller's monotonic clock."""

    phase: Phase = Phase.STARTING
    since: float = 0.0
    deadline: float | None = None
    engine: bool = False
    ending: bool = False  # the engine is on its way out: by itself or killed
    killed: bool = False  # SIGKILL has been sent to it
    proxy: bool = False
    proxy_since: float = 0.0
    proxy_failures: int = 0
    proxy_due: float | None = None  # when the next proxy is to be started
    jobs_left: bool = False  # by a proxy that ended; none has them in hand
    last_proxies: int = 0  # that were started in the end, for such jobs
    stage: Stage = Stage.JOBS
    failures: int = 0
    restarts: int = 0
    failed_probes: int = 0
    late: bool = False
    was_ready: bool = False  # some engine, at some time
    stuck: bool = False  # something of an engine cannot be killed
    reason: str | None = None  # why the engine is being killed, until it is gone
    last_failure: str | None = None
    exit_code: int | None = None

    @property
    def due(self) -> float | None:
        """When `Due` is to be delivered; None: something else will happen first."""
        return min(
            (when for when in (self.deadline, self.proxy_due) if when is not None), default=None
        )


Step = tuple[State, tuple[Action, ...]]


def begin(policy: Policy, now: float, *, proxy: bool) -> Step:
    """The first step: spawn the engine, and the proxy beside it in queue mode."""
    state = State(
        since=now,
        deadline=now + policy.startup_timeout,
        engine=True,
        proxy=proxy,
        proxy_since=now,
    )
    spawn_proxy = (Action.SPAWN_PROXY,) if proxy else ()
    return state, (Action.SPAWN_ENGINE, *spawn_proxy)


def step(state: State, event: Event, policy: Policy, now: float, jitter: float = 0.0) -> Step:
    """What `event` makes of `state`. `jitter`, 0 to 1, spreads the back-off of many workers."""
    match state.phase:
        case Phase.STOPPED:
            return state, ()
        case Phase.FAILED:
            return _failed(state, event, policy, now)
        case Phase.DRAINING:
            return _draining(state, event, policy, now)
    match event:
        case Stop():
            return _stop(state, policy, now)
        case Due():
            return _due(state, policy, now)
        case Exited():
            return _exited(state, event, policy, now, jitter)
        case ProxyExited() if state.proxy:
            return _proxy_exited(state, event, policy, now, jitter)
        case Ready() if state.phase is not Phase.READY and state.engine and not state.ending:
            ready = replace(state, phase=Phase.READY, since=now, deadline=None, failed_probes=0)
            return replace(ready, was_ready=True), ()
        case Probed() if state.phase is Phase.READY:
            return _probed(state, event, policy, now)
        case Stalled(seconds) if state.phase is Phase.READY:
            reason = f"requests ran, and for {seconds:.0f} s the engine gave no token to any"
            return _kill(state, reason, policy, now)
    return state, ()


# --- the engine ---


def _probed(state: State, event: Probed, policy: Policy, now: float) -> Step:
    if event.dead:
        # It ends by itself, and its last lines say why: better than what we could say.
        return replace(
            state,
            phase=Phase.RESTARTING,
            since=now,
            deadline=now + policy.end_grace,
            ending=True,
        ), ()
    if event.healthy:
        recovered = state.failures and now - state.since >= policy.healthy_again
        return replace(state, failed_probes=0, failures=0 if recovered else state.failures), ()
    failed = state.failed_probes + 1
    if failed < policy.hung_after:
        return replace(state, failed_probes=failed), ()
    return _kill(state, f"the engine did not answer {failed} health probes in a row", policy, now)


def _kill(state: State, reason: str, policy: Policy, now: float) -> Step:
    """End an engine for `reason`. A start stays a start until it is gone."""
    lost = Phase.RESTARTING if state.phase is Phase.READY else state.phase
    killed = replace(
        state,
        phase=lost,
        since=now if lost is not state.phase else state.since,
        deadline=now + policy.kill_grace,
        ending=True,
        killed=True,
        reason=reason,
    )
    return killed, (Action.KILL_ENGINE,)


def _exited(state: State, event: Exited, policy: Policy, now: float, jitter: float) -> Step:
    cause = event.cause
    if state.reason is not None and not event.own:
        cause = f"{state.reason}, {event.at}" if event.at else state.reason
    healthy = state.phase is Phase.READY and now - state.since >= policy.healthy_again
    failures = 0 if healthy else state.failures
    state = replace(
        state,
        engine=False,
        ending=False,
        killed=False,
        reason=None,
        last_failure=cause,
    )
    if event.left:
        return _fail(state, ExitCode.UNEXPECTED, policy, now)
    if event.final and not state.was_ready:
        return _fail(state, event.exit_code or ExitCode.CONFIGURATION, policy, now)
    if failures >= policy.max_restarts:
        late = ExitCode.NOT_READY_IN_TIME if state.late else None
        code = late or event.exit_code or ExitCode.RESTARTS_USED_UP
        return _fail(state, code, policy, now)
    return replace(
        state,
        phase=Phase.RESTARTING,
        since=now,
        deadline=now + backoff(failures, policy, jitter),
        failures=failures + 1,
        late=False,
    ), ()


def backoff(failures: int, policy: Policy, jitter: float) -> float:
    """Seconds before the next start: doubling, with up to half of it taken off by `jitter`."""
    full = min(policy.backoff_most, policy.backoff_first * 2.0 ** min(failures, 30))
    return full * (1.0 - 0.5 * jitter)


def _due(state: State, policy: Policy, now: float) -> Step:
    if state.proxy_due is not None and now >= state.proxy_due:
        return _spawn_proxy(state, now)
    if state.deadline is None or now < state.deadline:
        return state, ()
    if state.killed:
        stuck = replace(state, last_failure="the engine's processes cannot be killed")
        return _fail(stuck, ExitCode.UNEXPECTED, policy, now)
    if state.ending:
        return _kill(state, "the engine said that it is dead and did not end", policy, now)
    if state.engine:
        late = replace(state, late=True)
        reason = f"the engine was not ready after {policy.startup_timeout:.0f} s"
        return _kill(late, reason, policy, now)
    return replace(
        state,
        deadline=now + policy.startup_timeout,
        engine=True,
        restarts=state.restarts + 1,
    ), (Action.SPAWN_ENGINE,)


# --- the proxy ---


def _proxy_exited(
    state: State, event: ProxyExited, policy: Policy, now: float, jitter: float
) -> Step:
    state = replace(state, proxy=False, jobs_left=event.jobs)
    ended = event.cause or f"the proxy ended with code {event.code}; its lines above say why"
    # The SDK's fitness checks end it with 1 and a cause; without one it is a fault of the proxy's.
    unfit = event.code == ExitCode.UNEXPECTED and event.cause is not None
    if unfit or event.code == ExitCode.CONFIGURATION:
        return _fail(replace(state, last_failure=ended), ExitCode(event.code), policy, now)
    lasted = now - state.proxy_since >= policy.proxy_healthy_again
    failures = 0 if lasted else state.proxy_failures
    if failures >= policy.max_restarts:
        return _fail(replace(state, last_failure=ended), ExitCode.RESTARTS_USED_UP, policy, now)
    delay = min(policy.proxy_backoff_most, backoff(failures, policy, jitter))
    return replace(state, proxy_failures=failures + 1, proxy_due=now + delay), ()


def _spawn_proxy(state: State, now: float) -> Step:
    spawned = replace(state, proxy=True, proxy_since=now, proxy_due=None, jobs_left=False)
    return spawned, (Action.SPAWN_PROXY,)


# --- the end ---


def _may_have_another_proxy(state: State, policy: Policy) -> bool:
    return state.stage is Stage.JOBS and state.last_proxies < policy.last_proxies


def _spawn_last_proxy(state: State, now: float) -> Step:
    """For the jobs of one that is gone: only a proxy can answer them, or tell them why not."""
    return _spawn_proxy(replace(state, last_proxies=state.last_proxies + 1), now)


def _stop(state: State, policy: Policy, now: float) -> Step:
    was_ready = state.phase is Phase.READY
    state = replace(state, phase=Phase.DRAINING, since=now, proxy_due=None)
    state, spawn = _spawn_last_proxy(state, now) if state.jobs_left else (state, ())
    if was_ready:
        if policy.engine_drains_itself and not state.proxy:
            return _end_engine(state, policy, now, policy.drain_timeout)
        state = replace(state, stage=Stage.JOBS, deadline=now + policy.drain_timeout)
        return state, (*spawn, Action.DRAIN_JOBS)
    # No job can be in an engine that is not ready: nothing is worth waiting for, except that the
    # proxy tells those that wait for the engine.
    drain = (Action.DRAIN_JOBS,) if state.proxy else ()
    kill = (Action.KILL_ENGINE,) if state.engine else ()
    grace = policy.stop_grace if state.proxy else policy.kill_grace
    state = replace(state, stage=Stage.JOBS, deadline=now + grace, killed=state.engine)
    return _end_or_wait(state, now, (*spawn, *drain, *kill))


def _draining(state: State, event: Event, policy: Policy, now: float) -> Step:
    match event:
        case Exited():
            state = replace(state, engine=False, stuck=state.stuck or event.left)
            if not state.proxy:
                return _end_or_wait(state, now)
            # Jobs in hand cannot be finished without an engine; the proxy has to say so to each.
            soon = now + policy.stop_grace
            until = soon if state.deadline is None else min(state.deadline, soon)
            return replace(state, deadline=until), ()
        case ProxyExited() if state.proxy:
            if event.jobs and _may_have_another_proxy(state, policy):
                state, spawn = _spawn_last_proxy(state, now)
                return state, (*spawn, Action.DRAIN_JOBS)
            return _end_engine(replace(state, proxy=False), policy, now)
        case JobsDone() if state.stage is Stage.JOBS and not state.proxy:
            return _end_engine(state, policy, now)
        case Stop():
            return _skip_the_waiting(state, policy, now)
        case Due() if state.deadline is not None and now >= state.deadline:
            return _drain_is_over(state, policy, now)
    return state, ()


def _end_engine(state: State, policy: Policy, now: float, more: float = 0.0) -> Step:
    """SIGTERM to an engine whose work is done; `more` seconds where it does that itself."""
    if not state.engine:
        return _end_or_wait(state, now)
    if state.killed:
        return replace(state, stage=Stage.KILL, deadline=now + policy.kill_grace), ()
    deadline = now + more + policy.stop_grace
    return replace(state, stage=Stage.ENGINE, deadline=deadline), (Action.TERMINATE_ENGINE,)


def _skip_the_waiting(state: State, policy: Policy, now: float) -> Step:
    kill = (Action.KILL_ENGINE,) if state.engine else ()
    if state.proxy and state.stage is Stage.JOBS:
        deadline = now + policy.abort_grace
        aborted = replace(state, stage=Stage.ABORT, deadline=deadline, killed=state.engine)
        return aborted, (Action.ABORT_JOBS, *kill)
    kill_proxy = (Action.KILL_PROXY,) if state.proxy else ()
    deadline = now + policy.kill_grace
    killed = replace(state, stage=Stage.KILL, deadline=deadline, killed=state.engine)
    return killed, (*kill_proxy, *kill)


def _drain_is_over(state: State, policy: Policy, now: float) -> Step:
    """The jobs, or after them a process, have had their time."""
    if state.proxy and state.stage is Stage.JOBS:
        deadline = now + policy.abort_grace
        return replace(state, stage=Stage.ABORT, deadline=deadline), (Action.ABORT_JOBS,)
    if state.proxy and state.stage is Stage.ABORT:
        deadline = now + policy.kill_grace
        return replace(state, stage=Stage.KILL, deadline=deadline), (Action.KILL_PROXY,)
    if state.engine and state.stage is Stage.JOBS and not state.killed:
        return _end_engine(state, policy, now)
    if state.engine and not state.killed:
        deadline = now + policy.kill_grace
        killed = replace(state, stage=Stage.KILL, deadline=deadline, killed=True)
        return killed, (Action.KILL_ENGINE,)
    return _end_or_wait(replace(state, engine=False, proxy=False, stuck=True), now)


def _end_or_wait(state: State, now: float, actions: tuple[Action, ...] = ()) -> Step:
    if state.engine or state.proxy:
        return state, actions
    if state.stuck:
        stuck = replace(state, last_failure="a process was killed and did not end")
        ended, end = _finish(stuck, Phase.FAILED, ExitCode.UNEXPECTED, now)
    else:
        ended, end = _finish(state, Phase.STOPPED, ExitCode.OK, now)
    return ended, (*actions, *end)


def _finish(state: State, phase: Phase, code: ExitCode, now: float) -> Step:
    return replace(
        state, phase=phase, since=now, deadline=None, proxy_due=None, exit_code=int(code)
    ), (Action.EXIT,)


def _fail(state: State, code: ExitCode, policy: Policy, now: float) -> Step:
    """The worker gives up; the proxy sees it, tells the platform and every job, and ends."""
    state, spawn = _spawn_last_proxy(state, now) if state.jobs_left else (state, ())
    failed, end = _finish(state, Phase.FAILED, code, now)
    if not state.proxy:
        return failed, end
    return replace(failed, deadline=now + policy.tell_grace), spawn


def _failed(state: State, event: Event, policy: Policy, now: float) -> Step:
    """The worker has given up and waits for the proxy alone."""
    if not state.proxy:
        return state, ()
    match event:
        case ProxyExited(jobs=True) if _may_have_another_proxy(state, policy):
            state, spawn = _spawn_last_proxy(state, now)
            return replace(state, deadline=now + policy.tell_grace), spawn
        case ProxyExited():
            return replace(state, proxy=False, deadline=None), (Action.EXIT,)
        case Exited():
            return replace(state, engine=False), ()
        case Stop():
            pass
        case Due() if state.deadline is not None and now >= state.deadline:
            pass
        case _:
            return state, ()
    if state.stage is Stage.JOBS:
        deadline = now + policy.abort_grace
        return replace(state, stage=Stage.ABORT, deadline=deadline), (Action.ABORT_JOBS,)
    return replace(state, proxy=False, deadline=None), (Action.KILL_PROXY, Action.EXIT)
