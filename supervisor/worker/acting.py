"""Carries out what the lifecycle decides: on the engine that runs now, and on the proxy."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..command.plan import Plan
from ..diagnosis import kinds
from ..errors import SupervisorError
from ..link import handover
from ..link.journal import Journal
from ..machine.threads import in_thread
from ..settings import table
from ..settings.mode import Mode
from . import lifecycle
from .early import infos, reading
from .early.prefetch import Prefetch
from .engine.end import not_spawned
from .engine.phases import Start
from .engine.run import EngineRun
from .engine.spawn import Spawned, try_spawn
from .engine.suspect import WarmUp
from .lifecycle import Action, Event, ProxyRunning, State
from .process.launcher import Launcher
from .proxy_run import ProxyRun, tell_platform
from .pulse import Pulse
from .tasks import Tasks, best_effort

if TYPE_CHECKING:  # few workers are one of several nodes
    from .cluster import Member
    from .cluster.engines import HeadlessRun

log = logging.getLogger("supervisor")


class Acting:
    """The worker's engine and proxy, each None before its first one.

    Args:
        plan: what is run.
        env: the worker's environment.
        launcher: starts its children.
        tasks: in which they are watched.
        pulse: sees that this process has stood still.
        put: takes the events.
        prefetch: what downloads for the engine; None where nothing does.
        member: this node among those that serve one model together; None where it serves alone.
    """

    def __init__(
        self,
        plan: Plan,
        env: Mapping[str, str],
        launcher: Launcher,
        tasks: Tasks,
        pulse: Pulse,
        put: Callable[[Event], None],
        prefetch: Prefetch | None = None,
        member: Member | None = None,
    ) -> None:
        self._plan = plan
        self._env = env
        self._launcher = launcher
        self._tasks = tasks
        self._pulse = pulse
        self._put = put
        self._prefetch = prefetch
        self._member = member
        self._engines = 0
        self._nothing_to_check = False
        self._warm_up = WarmUp()
        self._start: Start | None = None  # of the engine that runs
        self._had_weights = False  # some engine: they are there
        self._had_all = False  # some engine was ready: what it needs from the hub is there
        self.journal = Journal()
        self.engine: EngineRun | None = None
        self.proxy: ProxyRun | None = None
        self._headless: HeadlessRun | None = None

    async def act(self, action: Action, state: State) -> None:
        """Carry out `action`, which led to `state`; EXIT is the caller's."""
        match action:
            case Action.SPAWN_ENGINE:
                self.watch_engine(await self._spawned())
            case Action.COUNT_READY if self._headless is not None:
                self._headless.count_ready()
            case Action.TERMINATE_ENGINE if self.engine is not None:
                self.engine.terminate()
            case Action.KILL_ENGINE if self.engine is not None:
                if state.lost_a_node:
                    self._warm_up.spare()
                self.engine.kill()
            case Action.SPAWN_PROXY:
                self._spawn_proxy(state)
            case Action.DRAIN_JOBS:
                self._drain(state)
            case Action.ABORT_JOBS if self.proxy is not None:
                self.proxy.tell(handover.ABORT)
            case Action.KILL_PROXY if self.proxy is not None:
                self.proxy.kill()
            case Action.TELL_PLATFORM:
                why = state.history.last_failure or "this worker cannot go on"
                await self._tell_platform(why)

    @best_effort("the platform does not hear that this worker is unhealthy")
    async def _tell_platform(self, why: str) -> None:
        signature = self._launcher.sink.signature
        await in_thread(partial(tell_platform, why, self._env, signature))

    def watch_engine(self, spawned: Spawned | SupervisorError) -> None:
        """Take over an engine that was spawned, or put that it could not be."""
        self._engines += 1
        if isinstance(spawned, SupervisorError):
            ended = not_spawned(spawned)
            self._nothing_to_check = ended.shared
            self._put(ended)
            return
        self._start = spawned.start
        if self._engines == 1:
            self._tasks.create(infos.hand_over(spawned.env))
        if self._prefetch is not None:
            self._prefetch.beside(spawned.start)
            if self._engines == 1 and self._plan.cluster is None:
                self._tasks.create(self._prefetch.run())
        self._warm_up = self._warm_up.following()
        self.engine = self._run(
            self._plan,
            spawned,
            self._launcher,
            self.journal,
            self._pulse,
            self._put_with_cause,
            first=self._engines == 1,
            warm_up=self._warm_up,
            beside=lambda start: reading.watch_plan(start, self._plan, spawned.env, self._launcher),
            catch_up=lambda: self.proxy.catch_up() if self.proxy is not None else None,
        )
        self._tasks.create(self.engine.run())

    async def prepare(self, identify: Callable[[], Awaitable[None]]) -> None:
        """Wait until what the engine needs is here, look at it, and say so to the other nodes."""
        if self._prefetch is not None:
            # No longer than rank 0 waits for all: an engine's start then says what is wrong.
            within = self._plan.settings[table.STARTUP_TIMEOUT] / 2
            await self._prefetch.complete(within, self._not_prepared)
        await identify()
        self._put(lifecycle.Prepared())

    def _not_prepared(self, cause: str) -> None:
        log.warning("%s; this node waits, and tries again", cause)
        self._put(lifecycle.Hindered(cause))

    async def _spawned(self) -> Spawned | SupervisorError:
        if self._member is None:
            return try_spawn(self._plan, self._env, self._launcher)
        try:
            plan = await self._member.placed(self._plan)
        except SupervisorError as reason:
            return reason
        return try_spawn(plan, self._env, self._launcher)

    def _run(self, *given: Any, **named: Any) -> EngineRun:
        """What watches an engine; several nodes are not ready before a request was answered."""
        if (cluster := self._plan.cluster) is None:
            return EngineRun(*given, **named)
        from .cluster import engines

        if cluster.headless:
            self._headless = engines.HeadlessRun(*given, **named)
            return self._headless
        return EngineRun(*given, **named, prove=engines.prove)

    def stop_prefetch(self) -> None:
        """No engine will need a download any more: one is ready, or the worker ends."""
        if self._prefetch is not None:
            self._prefetch.stop()

    async def end_prefetch(self) -> None:
        """As `stop_prefetch`, where nothing is waited for any more."""
        if self._prefetch is not None:
            await self._prefetch.end()

    def _put_with_cause(self, event: Event) -> None:
        """With the cause that kept the download from the engine, where that may be why it ended."""
        if isinstance(event, lifecycle.Ready):
            self._had_all = True
            self.stop_prefetch()  # what it may still fetch nobody will ask for
        if isinstance(event, lifecycle.Exited):
            why = None if self._prefetch is None else self._prefetch.cause
            self._had_weights = self._had_weights or (
                self._start is not None and self._start.loaded
            )
            if why and event.doing is not None and self._may_be_missing(event.kind):
                event = replace(event, cause=f"{event.cause}. Beside it: {why}")
        self._put(event)

    def _may_be_missing(self, kind: str) -> bool:
        """Whether an end of this kind may be that of an engine which lacks what it needs."""
        if self._had_all:
            return False
        return kind in kinds.OF_FILES or (kind == kinds.UNKNOWN and not self._had_weights)

    def _spawn_proxy(self, state: State) -> None:
        # One that only tells jobs the cause needs no machine that is fit.
        answers = self._nothing_to_check or isinstance(state.end, lifecycle.Answering)
        fit = self.proxy is not None and self.proxy.checked
        self.proxy = ProxyRun(
            self._plan,
            self._env,
            self._launcher,
            self.journal,
            self._put,
            checked=answers or fit,
        )
        self._tasks.create(self.proxy.run())

    def _drain(self, state: State) -> None:
        if self._plan.settings.mode is not Mode.QUEUE:
            self._tasks.create(self._wait_for_idle_engine())
        elif self.proxy is not None and isinstance(state.proxy, ProxyRunning):
            self.proxy.tell(handover.FINISH)
        else:
            self._put(lifecycle.JobsDone())

    async def _wait_for_idle_engine(self) -> None:
        from .engine import health

        async with health.client(self._plan.settings.engine_url, self._plan.key) as engine:
            await health.until_idle(engine)
        self._put(lifecycle.JobsDone())
