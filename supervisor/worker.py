"""Carries a plan out: delivers events to the lifecycle and does what it decides.

One task takes events from one queue, so the state has one writer. Processes, probes, timers and
signals only put events there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from supervisor import __version__, diagnosis, lifecycle, plan
from supervisor.config import Mode
from supervisor.errors import ConfigurationError, SupervisorError
from supervisor.lifecycle import Action, Event, Phase, Policy, State
from supervisor.logs import LogSink
from supervisor.plan import Plan
from supervisor.process import GONE_WITHIN, Child, Guardian
from supervisor.status import Status

log = logging.getLogger(__name__)

_PROXY_PAUSE = 1.0  # seconds between the end of a proxy and the next: a fault must not spin
_PROGRESS_EVERY = 10.0  # seconds between two lines while the engine starts


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
            engine_drains_itself=any(
                token.startswith("--shutdown-timeout") for token in wanted.command
            ),
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
        self._proxy: Child | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._probes: asyncio.Task[None] | None = None
        self._finished = False

    async def run(self) -> int:
        """Until the lifecycle says so.

        Returns:
            The exit code of the worker.

        Raises:
            SupervisorError: the control port is taken.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._asked_to_stop, number)
        queue_mode = self._settings.mode is Mode.QUEUE
        state, actions = lifecycle.begin(self._policy, time.monotonic(), proxy=queue_mode)
        control = None
        try:
            await self._apply(state, actions)
            # Imported and opened only now: nothing of ours is to delay the engine's spawn.
            from supervisor import control as control_port

            control = await self._listen(control_port.serve)
            while not self._finished:
                event = await self._next_event()
                now = time.monotonic()
                jitter = random.random()  # noqa: S311 - spreads restarts, guards nothing
                await self._apply(*lifecycle.step(self._state, event, self._policy, now, jitter))
        finally:
            await self._clean_up()
            if control is not None:
                await control.cleanup()
        return self._state.exit_code or 0

    async def _listen(self, serve: Callable[..., Awaitable[Any]]) -> Any:
        try:
            return await serve(self._status, self._settings)
        except OSError:
            from supervisor import ports

            port = self._settings.control_port
            raise SupervisorError(
                f"the control port {port} is taken by {ports.owner(port)};"
                " set PORT_HEALTH to a free one"
            ) from None

    async def _next_event(self) -> Event:
        deadline = self._state.deadline
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            return await asyncio.wait_for(self._events.get(), left)
        except TimeoutError:
            return lifecycle.Due()

    async def _apply(self, state: State, actions: tuple[Action, ...]) -> None:
        before, self._state = self._state, state
        self._status.publish(state)
        if state.phase is not before.phase:
            self._tell()
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
                self._task(self._run_proxy())
            case Action.DRAIN_JOBS:
                self._drain()
            case Action.KILL_PROXY if self._proxy is not None:
                self._proxy.signal(signal.SIGKILL)
            case Action.EXIT:
                self._finished = True

    # --- the engine ---

    async def _spawn_engine(self) -> None:
        started = time.monotonic()
        env = plan.engine_environment(self._env, self._plan)
        try:
            self._engine = await Child.spawn(
                self._plan.command, env, "/", self._sink, self._guardian
            )
        except SupervisorError as reason:
            log.error("%s", reason)  # noqa: TRY400 - a sentence for the user
            exited = lifecycle.Exited(reason.exit_code, str(reason), final=True)
            self._events.put_nowait(exited)
            return
        log.info("engine spawned, pid %d", self._engine.pid)
        self._task(self._watch_exit(self._engine))
        self._probes = self._task(self._probe(started))

    async def _watch_exit(self, engine: Child) -> None:
        code = await engine.wait()
        if self._probes is not None:
            self._probes.cancel()
        found = diagnosis.diagnose(code, engine.last_lines(), self._plan.model)
        if self._state.phase is not Phase.DRAINING:
            log.error("engine ended with code %d: %s", code, found)
        left = not engine.gone
        if left:
            log.error(
                "some of the engine's processes cannot be killed; nothing is started beside them"
            )
        self._events.put_nowait(lifecycle.Exited(code, str(found), found.final, left))

    async def _probe(self, started: float) -> None:
        from supervisor import health

        async def report(healthy: bool) -> None:
            await self._events.put(lifecycle.Probed(healthy))

        async with health.client(self._settings.engine_url) as engine:
            progress = self._task(self._show_progress(started))
            try:
                await health.until_ready(engine)
            finally:
                progress.cancel()
            self._status.phases["engine_start"] = time.monotonic() - started
            await self._events.put(lifecycle.Ready())
            if self._settings.mode is Mode.PLAIN and self._state.restarts == 0:
                self._say_how_to_use(await health.served_model(engine))
            await health.watch(engine, report)

    async def _show_progress(self, started: float) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_EVERY)
            log.info("engine is starting, %.0f s so far", time.monotonic() - started)

    # --- the proxy ---

    async def _run_proxy(self) -> None:
        code = 0
        try:
            self._proxy = await Child.spawn(
                [sys.executable, "-m", "proxy"],
                self._proxy_environment(),
                str(Path(__file__).parent.parent),
                self._sink,
                self._guardian,
            )
        except SupervisorError as reason:
            log.error("the proxy could not be started: %s", reason)  # noqa: TRY400
        else:
            code = await self._proxy.wait()
            self._proxy = None
        if self._state.phase is not Phase.DRAINING:
            log.error("proxy ended with code %d", code)
            await asyncio.sleep(_PROXY_PAUSE)
        self._events.put_nowait(lifecycle.ProxyExited(code))

    def _proxy_environment(self) -> dict[str, str]:
        return {
            **self._env,
            **self._plan.engine_env,  # a key that was moved from the command line
            "ENGINE_URL": self._settings.engine_url,
            "CONTROL_URL": self._settings.control_url,
        }

    def _drain(self) -> None:
        if self._settings.mode is not Mode.QUEUE:
            self._task(self._wait_for_idle_engine())
        elif self._proxy is not None:
            self._proxy.terminate()
        else:
            self._events.put_nowait(lifecycle.ProxyExited(0))

    async def _wait_for_idle_engine(self) -> None:
        from supervisor import health

        async with health.client(self._settings.engine_url) as engine:
            await health.until_idle(engine)
        self._events.put_nowait(lifecycle.JobsDone())

    # --- what surrounds them ---

    def _asked_to_stop(self, number: signal.Signals) -> None:
        log.info("%s received", signal.Signals(number).name)
        self._events.put_nowait(lifecycle.Stop())

    def _tell(self) -> None:
        match self._state.phase:
            case Phase.READY:
                took = self._status.phases.get("engine_start", 0.0)
                log.info("ready after %.1f s", took)
            case Phase.RESTARTING if self._state.deadline is not None:
                wait = self._state.deadline - time.monotonic()
                log.warning(
                    "engine is started again in %.1f s (failure %d, %d at most): %s",
                    max(0.0, wait),
                    self._state.failures,
                    self._policy.max_restarts,
                    self._state.last_failure,
                )
            case Phase.RESTARTING:
                log.error("engine is killed and started again: %s", self._state.reason)
            case Phase.DRAINING:
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

    async def _clean_up(self) -> None:
        children = [child for child in (self._proxy, self._engine) if child is not None]
        for child in children:
            child.signal(signal.SIGKILL)
        for task in list(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GONE_WITHIN):
                await asyncio.gather(*(child.wait() for child in children if child.alive()))
        self._guardian.close()


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
