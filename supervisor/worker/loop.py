"""Carries a plan out: delivers events to the lifecycle and does what it decides.

One task takes events from one queue, so the state has one writer. Processes, probes, timers and
signals only put events there.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import random
import select
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from .. import __version__, diagnosis
from ..command import plan
from ..command.plan import Plan
from ..errors import CommandNotExecutable, CommandNotFound, ConfigurationError, SupervisorError
from ..link.journal import Journal, read_some
from ..settings.config import Mode
from . import lifecycle
from .engine import phases
from .engine.memory import MemoryWatch
from .engine.phases import Start
from .lifecycle import Action, Event, ExitCode, Phase, Policy, State
from .logs import LogSink
from .process import Child, Guardian, adopt_orphans, reap_orphans
from .status import Status

log = logging.getLogger(__name__)

_PROGRESS_EVERY = 5.0  # seconds between two lines while the engine starts
_ORPHANS_WITHIN = 10.0  # seconds, after the engine's group has had its own
_CLEAN_UP_WITHIN = 10.0  # seconds: nobody waits for what could not be killed before
_REAP_EVERY = 5.0  # seconds
_LOOK_EVERY = 5.0  # seconds between two looks at what was killed for memory
_SPAWN_PAUSE = 1.0  # seconds after a proxy that could not be started, for want of something
_PIPE_SIZE = 1 << 20  # bytes: the kernel's most without a privilege


class Worker:
    """One run of the worker, from the first spawn to the exit code."""

    def __init__(self, wanted: Plan, env: Mapping[str, str], sink: LogSink) -> None:
        self._plan = wanted
        self._settings = wanted.settings
        self._env = env
        self._sink = sink
        self._policy = Policy(
            startup_timeout=self._settings.startup_timeout,
            drain_timeout=self._settings.drain_timeout,
            max_restarts=self._settings.max_restarts,
            engine_drains_itself=wanted.engine_drains_itself,
        )
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._state = State()
        self._status = Status(
            mode=str(self._settings.mode),
            model=wanted.model,
            versions={"worker": __version__, "vllm": wanted.vllm_version},
        )
        self._guardian = Guardian()
        self._engine: Child | None = None
        self._start: Start | None = None
        self._proxy: Child | None = None
        self._reports = Journal()
        self._owed: set[signal.Signals] = set()  # to the proxy, as soon as it hears them
        self._machine_is_fit = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._watches: set[asyncio.Task[None]] = set()  # those of one engine
        self._spawn_seconds = 0.0
        self._finished = False
        self._broken = False  # by a fault of our own
        self._status.doing = self._doing
        self._status.engine_pid = lambda: None if self._engine is None else self._engine.pid
        if self._settings.mode is Mode.QUEUE:
            self._status.figures = lambda: self._reports.figures

    async def run(self) -> int:
        """Until the lifecycle says so.

        Returns:
            The exit code of the worker.

        Raises:
            SupervisorError: the control port is taken.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_say_fault)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop, number)
        queue_mode = self._settings.mode is Mode.QUEUE
        state, actions = lifecycle.begin(self._policy, time.monotonic(), proxy=queue_mode)
        control = None
        try:
            await self._apply(state, actions)
            # Imported and opened only now: nothing of ours is to delay the engine's spawn.
            from . import control as control_port

            adopt_orphans()
            self._task(self._reap())
            control = await self._listen(control_port.serve)
            while not self._finished and not self._broken:
                event = await self._next_event()
                now = time.monotonic()
                jitter = random.random()  # noqa: S311 - spreads restarts, guards nothing
                await self._apply(*lifecycle.step(self._state, event, self._policy, now, jitter))
        finally:
            await self._clean_up()
            if control is not None:
                await control.cleanup()
        return ExitCode.UNEXPECTED if self._broken else self._state.exit_code or 0

    async def _listen(self, serve: Callable[..., Awaitable[Any]]) -> Any:
        try:
            return await serve(self._status, self._settings)
        except OSError:
            from .. import ports

            port = self._settings.control_port
            raise SupervisorError(
                f"the control port {port} is taken by {ports.owner(port)};"
                " set PORT_HEALTH to a free one"
            ) from None

    async def _next_event(self) -> Event:
        deadline = self._state.due
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            return await asyncio.wait_for(self._events.get(), left)
        except TimeoutError:
            return lifecycle.Due()

    async def _apply(self, state: State, actions: tuple[Action, ...]) -> None:
        before, self._state = self._state, state
        self._status.publish(state)
        if (state.phase, state.failures, state.ending) != (
            before.phase,
            before.failures,
            before.ending,
        ):
            self._tell(before)
        for action in actions:
            await self._act(action)

    async def _act(self, action: Action) -> None:
        match action:
            case Action.SPAWN_ENGINE:
                await self._spawn_engine()
            case Action.TERMINATE_ENGINE if self._engine is not None:
                self._engine.terminate()
            case Action.KILL_ENGINE if self._engine is not None:
                self._engine.signal(signal.SIGKILL)
            case Action.SPAWN_PROXY:
                self._owed.clear()
                self._task(self._run_proxy())
            case Action.DRAIN_JOBS:
                self._drain()
            case Action.ABORT_JOBS:
                self._tell_proxy(signal.SIGUSR1)
            case Action.KILL_PROXY if self._proxy is not None:
                self._proxy.signal(signal.SIGKILL)
            case Action.EXIT:
                self._finished = True

    # --- the engine ---

    async def _spawn_engine(self) -> None:
        start = self._start = Start()
        env = plan.engine_environment(self._env, self._plan)
        killed = MemoryWatch()
        try:
            engine = self._engine = await Child.spawn(
                (*self._plan.before, *self._plan.command),
                env,
                "/",
                self._sink,
                self._guardian,
                observe=start.feed,
            )
        except SupervisorError as reason:
            log.error("%s", reason)  # noqa: TRY400 - a sentence for the user
            hopeless = isinstance(reason, CommandNotFound | CommandNotExecutable)
            code = ExitCode(reason.exit_code) if hopeless else None
            self._events.put_nowait(lifecycle.Exited(str(reason), final=hopeless, exit_code=code))
            return
        if self._state.restarts == 0:
            self._spawn_seconds = phases.own_seconds()
        log.info("engine spawned, pid %d", engine.pid)
        self._task(self._watch_exit(engine, start, killed))
        self._watches.add(self._task(self._watch_memory(killed)))
        self._watches.add(self._task(self._watch_health(start)))
        self._watches.add(self._task(self._watch_download(start, env)))

    async def _watch_download(self, start: Start, env: Mapping[str, str]) -> None:
        from ..models import disk
        from ..models.placement import Name
        from .engine import download

        model = Name.parse(self._plan.model or "")
        if model is None or self._plan.model_path is not None:
            return
        folder = self._plan.value("--download-dir")
        cache = Path(folder) if folder else disk.hub_cache(env)
        await download.watch(start, model, self._plan.value("--revision") or "", cache, env)

    async def _watch_memory(self, killed: MemoryWatch) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            killed.look()

    async def _watch_exit(self, engine: Child, start: Start, killed: MemoryWatch) -> None:
        code = await engine.ended()
        for watch in self._watches:
            watch.cancel()
        self._watches.clear()
        # Now, for what is left of its group may take long to go, and may have to be killed.
        stopping = self._state.phase is Phase.DRAINING
        asked_for = stopping or self._state.killed
        out_of_memory = not stopping and killed.killed_lately()
        self._events.put_nowait(lifecycle.Probed(healthy=False, dead=True))
        await engine.wait()
        self._engine = None
        found = diagnosis.diagnose(
            code,
            engine.last_lines(),
            self._plan.model,
            out_of_memory=out_of_memory,
            was_ready=start.over,
        )
        if not asked_for:
            log.error("engine ended with code %d: %s", code, found)
        left = not engine.gone or not await self._end_orphans()
        if left:
            log.error(
                "some of the engine's processes cannot be killed; nothing is started beside them"
            )
        self._events.put_nowait(
            lifecycle.Exited(
                str(found),
                at=None if start.over else f"still {start.words}",
                final=found.final,
                left=left,
                exit_code=ExitCode.OUT_OF_MEMORY if found.kind == "out-of-memory" else None,
                own=out_of_memory or not asked_for,
            )
        )

    async def _watch_health(self, start: Start) -> None:
        from .engine import health

        async def report(found: health.Health) -> None:
            if found is health.Health.UNKNOWN:
                log.warning("no health probe: this process has no file descriptor left")
                return
            good, dead = found is health.Health.GOOD, found is health.Health.DEAD
            if dead and self._state.phase is Phase.READY:
                log.error("the engine says that it is dead")
            await self._events.put(lifecycle.Probed(good, dead))

        async with health.client(self._settings.engine_url, self._key()) as engine:
            progress = self._task(self._show_progress(start))
            try:
                await health.until_ready(engine)
            finally:
                progress.cancel()
            alarm = asyncio.Event()
            self._engine_is_ready(start, alarm)
            await self._events.put(lifecycle.Ready())
            if self._settings.stall_timeout:
                self._watches.add(self._task(self._watch_stall()))
            if self._settings.mode is Mode.PLAIN and self._state.restarts == 0:
                self._say_how_to_use(await health.served_model(engine))
            await health.watch(engine, report, alarm)

    def _engine_is_ready(self, start: Start, alarm: asyncio.Event) -> None:
        if self._engine is not None:
            self._engine.unobserved()
            self._engine.tell_of_deaths(alarm.set)
        start.ended()
        spawn = {"spawn": self._spawn_seconds} if self._state.restarts == 0 else {}
        self._status.phases = {**spawn, **start.seconds}
        for line in phases.table(self._status.phases):
            log.info("start: %s", line)
        self._status.phases["engine_start"] = time.monotonic() - start.began

    async def _watch_stall(self) -> None:
        from .. import ports
        from .engine import health, stall

        in_queue_mode = self._settings.mode is Mode.QUEUE
        port = self._settings.engine_port

        async def report(seconds: float) -> None:
            await self._events.put(lifecycle.Stalled(seconds))

        async with health.client(self._settings.engine_url, self._key()) as engine:
            await stall.watch(
                engine,
                self._settings.stall_timeout,
                waiting=lambda: (
                    self._reports.figures.jobs if in_queue_mode else ports.connections(port)
                ),
                tokens=lambda: self._reports.figures.tokens,
                report=report,
            )

    def _key(self) -> str:
        return {**self._env, **self._plan.engine_env}.get("VLLM_API_KEY", "")

    def _doing(self) -> str | None:
        starting = self._state.phase in {Phase.STARTING, Phase.RESTARTING}
        if not starting or self._start is None or self._engine is None:
            return None
        return self._start.words

    async def _show_progress(self, start: Start) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_EVERY)
            log.info("engine is %s, %.0f s so far", start.words, time.monotonic() - start.began)

    # --- what the engine leaves behind ---

    def _own(self) -> set[int]:
        children = [child.pid for child in (self._engine, self._proxy) if child is not None]
        return {*children, self._guardian.pid}

    async def _end_orphans(self) -> bool:
        """End what has left the engine's group; whether nothing of it is left."""
        end = time.monotonic() + _ORPHANS_WITHIN
        while reap_orphans(self._own(), kill=True):
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.05)
        return True

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(_REAP_EVERY)
            reap_orphans(self._own(), kill=False)

    # --- the proxy ---

    async def _run_proxy(self) -> None:
        code = -1
        try:
            code = await self._proxy_from_start_to_end()
        except (SupervisorError, OSError) as reason:
            log.error("the proxy could not be started: %s", reason)  # noqa: TRY400
            await asyncio.sleep(_SPAWN_PAUSE)
        cause = self._reports.cause
        self._reports.proxy_ended()
        jobs = self._reports.figures.jobs
        if jobs or self._state.phase not in {Phase.DRAINING, Phase.FAILED}:
            why = f": {cause}" if cause else ""
            log.error("proxy ended with code %d and %d jobs in hand%s", code, jobs, why)
        self._events.put_nowait(lifecycle.ProxyExited(code, cause, jobs=jobs > 0))

    async def _proxy_from_start_to_end(self) -> int:
        """Run one proxy, and take in what it reports. Its exit code."""
        left = self._reports.left()
        if left:
            log.info("the proxy takes over %d jobs of the one before", left.count(b"\n"))
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as descriptors:
            ours, its = os.pipe()
            descriptors.callback(os.close, ours)
            with contextlib.ExitStack() as handed:
                handed.callback(os.close, its)
                os.set_blocking(ours, False)
                with contextlib.suppress(OSError):  # a small pipe will do
                    fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
                jobs = _memory_file(left)
                handed.callback(os.close, jobs)
                proxy = self._proxy = await Child.spawn(
                    [sys.executable, "-m", "proxy"],
                    {**self._proxy_environment(), "REPORT_FD": str(its), "JOBS_FD": str(jobs)},
                    str(Path(__file__).parents[2]),
                    self._sink,
                    self._guardian,
                    pass_fds=(its, jobs),
                )
            self._tell_what_is_owed()
            loop.add_reader(ours, self._take_report, ours)
            descriptors.callback(loop.remove_reader, ours)
            try:
                return await proxy.wait()
            finally:
                self._proxy = None
                while read_some(ours, self._reports) and _readable(ours):
                    pass

    def _take_report(self, fd: int) -> None:
        if not read_some(fd, self._reports):
            asyncio.get_running_loop().remove_reader(fd)
        if self._reports.works:
            self._machine_is_fit = True
            self._tell_what_is_owed()
        first = self._state.restarts == 0 and "first_job" not in self._status.phases
        if first and self._reports.figures.taken:
            self._status.phases["first_job"] = max(0.0, time.time() - self._status.since)

    def _proxy_environment(self) -> dict[str, str]:
        return {
            **self._env,
            **self._plan.engine_env,  # a key that was moved from the command line
            "ENGINE_URL": self._settings.engine_url,
            "CONTROL_URL": self._settings.control_url,
            "FITNESS_CHECKS": ",".join(self._fitness_checks()) or "none",
        }

    def _fitness_checks(self) -> list[str]:
        """What the SDK is to check before the first job.

        A machine that was fit still is, and the jobs themselves wait for the engine, only so long.
        """
        if self._machine_is_fit:
            return []
        on_disk = self._plan.model_path is not None or (self._plan.model or "").startswith("/")
        to_download = not on_disk or self._plan.download is not None
        return ["memory", *(["disk"] if to_download else []), "gpu", "engine"]

    def _drain(self) -> None:
        if self._settings.mode is not Mode.QUEUE:
            self._task(self._wait_for_idle_engine())
        elif not self._state.proxy:
            self._events.put_nowait(lifecycle.JobsDone())
        else:
            self._tell_proxy(signal.SIGTERM)

    def _tell_proxy(self, number: signal.Signals) -> None:
        """SIGTERM: finish the jobs in hand; SIGUSR1: end them with an error."""
        self._owed.add(number)
        self._tell_what_is_owed()

    def _tell_what_is_owed(self) -> None:
        # Before it is at work a signal would end it, and the jobs that it took over with it.
        if self._proxy is not None and (self._reports.works or not self._reports.figures.jobs):
            while self._owed:
                self._proxy.tell(self._owed.pop())

    async def _wait_for_idle_engine(self) -> None:
        from .engine import health

        async with health.client(self._settings.engine_url) as engine:
            await health.until_idle(engine)
        self._events.put_nowait(lifecycle.JobsDone())

    # --- what surrounds them ---

    def _asked_to_stop(self, number: signal.Signals) -> None:
        log.info("%s received", signal.Signals(number).name)
        self._events.put_nowait(lifecycle.Stop())

    def _tell(self, before: State) -> None:
        match self._state.phase:
            case Phase.READY if before.phase is not Phase.READY:
                took = self._status.phases.get("engine_start", 0.0)
                log.info("ready after %.1f s", took)
            case Phase.RESTARTING if self._state.deadline is not None:
                wait = self._state.deadline - time.monotonic()
                if self._state.ending:
                    if self._state.reason is not None:
                        log.error("engine is ended and started again: %s", self._state.reason)
                    return
                log.warning(
                    "engine is started again in %.1f s (failure %d, %d at most): %s",
                    max(0.0, wait),
                    self._state.failures,
                    self._policy.max_restarts,
                    self._state.last_failure,
                )
            case Phase.DRAINING if before.phase is not Phase.DRAINING:
                log.info("stopping: jobs in hand have %.0f s", self._policy.drain_timeout)
            case Phase.STOPPED:
                log.info("stopped")
            case Phase.FAILED:
                log.error(
                    "giving up with exit code %s: %s",
                    self._state.exit_code,
                    self._state.last_failure,
                )

    def _say_how_to_use(self, model: str | None) -> None:
        url = f"http://localhost:{self._settings.engine_port}/v1"
        if model is None:  # it asks for a key, or serves no model by name
            log.info("try: curl %s/models", url)
            return
        body = {"model": model, "messages": [{"role": "user", "content": "What is this?"}]}
        log.info(
            "try: curl %s/chat/completions -H 'Content-Type: application/json' -d '%s'",
            url,
            json.dumps(body),
        )

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("a fault in the supervisor itself: %r", fault, exc_info=fault)
            # What it watched is watched no more: the worker ends, and the platform replaces it.
            self._broken = True
            self._events.put_nowait(lifecycle.Due())

    async def _clean_up(self) -> None:
        children = [child for child in (self._proxy, self._engine) if child is not None]
        for child in children:
            child.signal(signal.SIGKILL)
        for task in list(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLEAN_UP_WITHIN):
                await asyncio.gather(*(child.wait() for child in children if child.alive()))
                self._engine = self._proxy = None
                await self._end_orphans()
        self._guardian.close()


def _memory_file(data: bytes) -> int:
    """The descriptor of a file without a disk, to be read from its beginning."""
    descriptor = os.memfd_create("jobs")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def _say_fault(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """One line for what the event loop could not do, such as to accept a connection."""
    log.warning("%s (%s)", context.get("message"), context.get("exception"))


def check_model(model: str | None) -> None:
    """Refuse a path that does not exist before a GPU is paid for.

    Raises:
        ConfigurationError: the path is not there.
    """
    if model is not None and model.startswith("/") and not Path(model).exists():
        raise ConfigurationError(
            f"MODEL_NAME={model} does not exist on this machine; give the path of a model's folder"
            " or the name of a repository"
        )
