"""One run of the engine: from its spawn until nothing of its process group is left.

It puts events and decides nothing: what follows from one is the lifecycle's business.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ... import diagnosis
from ...command.plan import Plan
from ...diagnosis.voice import Voice
from ...link.journal import Journal
from ...secrets import secret_values
from ...settings.mode import Mode
from ...status.parts import Times
from .. import announce, lifecycle
from ..metrics import vllm
from ..process.child import Child
from ..process.launcher import Launcher
from ..pulse import Pulse
from . import phases
from .end import exited
from .spawn import Spawned
from .suspect import Suspicion, WarmUp

if TYPE_CHECKING:  # imported while the engine starts
    import httpx

    from .health import Health

log = logging.getLogger("supervisor")


class EngineRun:
    """One engine that was spawned.

    Args:
        plan: what is run.
        spawned: its process and what belongs to it.
        launcher: started it.
        journal: the jobs that the proxy has in hand, in queue mode.
        pulse: sees that this process has stood still.
        put: takes the events: CannotFit, Warming, Ready, Probed, Stalled, Ended, Exited.
        first: whether it is the worker's first engine, of which more is said.
        warm_up: whether it is warmed up, where WARMUP says so; is told how that goes.
        beside: what runs beside it, given its start; cancelled where it ends.
        prove: returns once a healthy one has shown that it works; as `cluster.engines.prove`.
        catch_up: lets the journal read what the proxy has said.
    """

    def __init__(
        self,
        plan: Plan,
        spawned: Spawned,
        launcher: Launcher,
        journal: Journal,
        pulse: Pulse,
        put: Callable[[lifecycle.Event], None],
        *,
        first: bool,
        warm_up: WarmUp,
        beside: Callable[[phases.Start], Coroutine[Any, Any, None]] | None = None,
        prove: Callable[..., Coroutine[Any, Any, None]] | None = None,
        catch_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._plan = plan
        self._settings = plan.settings
        self._env = spawned.env
        self._launcher = launcher
        self._journal = journal
        self._pulse = pulse
        self._put = put
        self._first = first
        self._warm_up = warm_up
        self._beside = beside
        self._prove = prove
        self._suspicion = Suspicion(journal, catch_up)
        self._alarm = asyncio.Event()
        self._we_killed = False
        self._answers = False  # so that others than we may have sent it something
        self._start = spawned.start
        self._killed = spawned.killed
        self._child: Child | None = spawned.child
        self._voice = Voice(spawned.signature)
        spawned.child.listen(self._voice.hear)
        self._spawned_after = spawned.own_seconds if first else None
        self.seen: vllm.Figures = {}  # in its own metrics, at the last look

    @property
    def pid(self) -> int | None:
        """Its process; None once its group is gone."""
        return None if self._child is None else self._child.pid

    @property
    def doing(self) -> str | None:
        """What its start is doing, in words; None where none is under way."""
        return None if self._child is None or self._start.over else self._start.words

    @property
    def times(self) -> Times:
        """Of its start, as far as that has come."""
        return self._start.times(self._spawned_after)

    def terminate(self) -> None:
        """SIGTERM: vLLM's API server ends its own processes in order."""
        if self._child is not None:
            self._child.terminate()

    def look_again(self) -> None:
        """Ask for its health at once: this process has stood still, and perhaps the engine."""
        self._alarm.set()

    def kill(self) -> None:
        """SIGKILL to all of its group."""
        self._we_killed = True
        if self._child is not None:
            self._child.signal(signal.SIGKILL)

    async def run(self) -> None:
        """Watch it until its whole group is gone: put `Ended`, then `Exited`."""
        child = self._child
        if child is None:
            return
        code, out_of_memory = await self._until_ended(child)
        self._start.failed()
        await child.wait()
        self._child, self.seen = None, {}
        self._launcher.release(child)
        cause = diagnosis.diagnose(
            code,
            child.last_lines(),
            self._plan.model,
            voice=self._voice,
            out_of_memory=out_of_memory,
            was_ready=self._start.over or self._answers,
            we_killed=self._we_killed and code == -signal.SIGKILL,
            secrets=secret_values(self._env),
            configured=(*self._plan.command, *self._plan.engine_env.values()),
            version=self._plan.vllm_version,
        )
        left = not child.gone or not await self._launcher.orphans.end()
        doing = None if self._start.over else self._start.words
        excused = self._start.over and self._suspicion.found
        told = {"left": left, "out_of_memory": out_of_memory, "excused": excused}
        self._put(exited(cause, code, doing=doing, **told))

    async def _until_ended(self, child: Child) -> tuple[int, bool]:
        """Its exit code, and whether the kernel killed something for memory just before.

        Asked at once, for what is left of its group may take long to go.
        """
        async with asyncio.TaskGroup() as group:
            every = (self._killed.look_for_ever(), self._watch_health(child), self._watch_model())
            watches = [group.create_task(watch) for watch in every]
            code = await child.ended()
            out_of_memory = self._killed.killed_lately()
            self._suspicion.look()
            self._put(lifecycle.Ended())
            for watch in watches:
                watch.cancel()
        return code, out_of_memory

    async def _watch_health(self, child: Child) -> None:
        from . import health, stall

        key, frozen = self._plan.key, lambda: self._pulse.frozen
        async with health.client(self._settings.engine_url, key) as engine:
            await self._until_ready(engine)
            child.unobserved()
            child.tell_of_deaths(self._process_died)
            self._is_ready()
            async with asyncio.TaskGroup() as beside:
                watching = stall.watch_plan(
                    self._settings, key, self._journal, self._stalled, frozen, self._see
                )
                beside.create_task(watching)
                if self._settings.mode is Mode.PLAIN and self._first:
                    port, model = self._settings.engine_port, await health.served_model(engine)
                    log.info("%s", announce.how_to_use(port, model, keyed=bool(key)))
                await health.watch(engine, self._probed, self._alarm, frozen)

    def _process_died(self) -> None:
        self._suspicion.look()
        self._alarm.set()

    async def _until_ready(self, engine: httpx.AsyncClient) -> None:
        from . import health

        async with asyncio.TaskGroup() as group:
            progress = group.create_task(phases.tell(self._start))
            await health.until_ready(engine)
            self._answers = True
            if self._prove is not None:
                await self._prove(engine, self._plan, self._start, self._put)
            if self._settings.warms and self._warm_up.begin():
                await self._warm(engine)
            progress.cancel()

    async def _warm(self, engine: httpx.AsyncClient) -> None:
        from . import health, warmup

        answered = await warmup.warm_plan(engine, self._plan, self._start, self._put)
        self._warm_up.asked()
        await health.until_ready(engine)  # one that died of it was never ready
        self._warm_up.over(answered=answered)

    def _is_ready(self) -> None:
        self._start.ended()
        self._warm_up.ready()
        times = self.times
        for line in announce.start(times, self._plan):
            log.info("%s", line)
        self._put(lifecycle.Ready(times.phases["engine_start"]))

    async def _probed(self, answer: Health) -> None:
        from .health import Health

        if answer is Health.UNKNOWN:
            log.warning("no health probe: this process has no file descriptor left")
            return
        if answer is Health.GOOD:
            self._suspicion.drop()
        else:
            self._suspicion.look()
        self._put(lifecycle.Probed(answer is Health.GOOD, answer is Health.SICK))

    def _see(self, metrics: str) -> None:
        self.seen = vllm.read(metrics)

    async def _stalled(self, seconds: float) -> None:
        self._suspicion.look()
        self._put(lifecycle.Stalled(seconds))

    async def _watch_model(self) -> None:
        from . import download, fit

        # All of them have ended when this has, which `gather` does not promise.
        async with asyncio.TaskGroup() as group:
            if self._beside is not None:
                group.create_task(self._beside(self._start))
            group.create_task(download.watch_plan(self._start, self._plan, self._env))
            group.create_task(fit.watch_plan(self._plan, self._env, self._launcher, self._put))
