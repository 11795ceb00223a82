"""The worker's loop: takes events from one queue, lets the lifecycle decide, and acts.

The state has one writer. Processes, probes, timers and signals only put events into the queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..command.plan import Plan
from ..errors import SupervisorError
from ..machine import gpus
from ..settings import table
from ..settings.mode import Mode
from . import announce, lifecycle
from .acting import Acting
from .early.prefetch import Prefetch
from .engine.spawn import Spawned
from .lifecycle import Action, Event, ExitCode, Policy
from .metrics import exported
from .metrics.summary import Summary
from .page.view import View
from .process import orphans
from .process.launcher import Launcher
from .pulse import Pulse
from .status import Status
from .tasks import Tasks

if TYPE_CHECKING:  # few workers are one of several nodes
    from .cluster import Member

log = logging.getLogger("supervisor")

_CLEAN_UP_WITHIN = 10.0  # seconds: nobody waits for what could not be killed before


class Worker:
    """One run of the worker, from its first engine to its exit code.

    Args:
        plan: what is run.
        env: the worker's environment.
        launcher: starts its children.
        first: its first engine, or why that could not be spawned; None: it waits for other nodes.
        prefetch: what downloads for it; None where nothing does.
        member: this node among those that serve one model together; None where it serves alone.
    """

    def __init__(
        self,
        plan: Plan,
        env: Mapping[str, str],
        launcher: Launcher,
        first: Spawned | SupervisorError | None,
        prefetch: Prefetch | None = None,
        member: Member | None = None,
    ) -> None:
        self._plan = plan
        self._settings = plan.settings
        headless = member is not None and member.cluster.headless
        queue_mode = self._settings.mode is Mode.QUEUE and not headless  # which takes no jobs
        self._policy = Policy(
            startup_timeout=self._settings[table.STARTUP_TIMEOUT],
            drain_delay=self._settings.drain_delay,
            drain_timeout=self._settings[table.DRAIN_TIMEOUT],
            max_restarts=self._settings[table.MAX_RESTARTS],
            answer_failed_for=self._settings[table.ANSWER_FAILED_FOR],
            engine_drains_itself=plan.engine_drains_itself,
        )
        if member is not None:
            self._policy = replace(self._policy, silence_most=member.silence)
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        now = time.monotonic()
        group = None if member is None else member.group
        begun = lifecycle.begin(self._policy, now, proxy=queue_mode, group=group)
        self._state, self._first_actions = begun
        put = self._events.put_nowait
        self._channel = None if member is None else member.channel(self._state, put)
        self._launcher = launcher
        self._first = first
        self._tasks = Tasks(self._is_broken)
        self._pulse = Pulse()
        self._frozen = 0.0  # of which the lifecycle knows
        self._acting = Acting(plan, env, launcher, self._tasks, self._pulse, put, prefetch, member)
        self._finished = False
        self._summary = Summary()
        self._broken = False  # by a fault of our own
        self._status = Status(
            mode=str(self._settings.mode),
            model=plan.model,
            versions={"worker": __version__, "vllm": plan.vllm_version},
            state=self._state,
            engine=lambda: self._acting.engine,
            figures=lambda: self._acting.journal.figures if queue_mode else None,
            gpu=gpus.visible(env).name,
            routes=self._settings.offered_routes,
            clock=lambda: time.monotonic() - self._pulse.frozen,
        )
        self._view = View(plan, env, self._status, launcher.sink.recent)
        self._pushing = exported.pushing(self._status, env)

    async def run(self, stops: Iterable[signal.Signals] = ()) -> int:
        """Until the lifecycle says so.

        Args:
            stops: signals that came before; a handler may still add one while this begins.

        Returns:
            The exit code of the worker.

        Raises:
            SupervisorError: the control port is taken.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_say_fault)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop, number)
        await asyncio.sleep(0)  # one may be on its way to `stops`, by the handler before this one
        for number in stops:
            self._asked_to_stop(number)
        control = None
        try:
            # SPAWN_ENGINE has been carried out, before all this was imported.
            if self._first is not None:
                self._acting.watch_engine(self._first)
            for action in self._first_actions:
                if action is not Action.SPAWN_ENGINE:
                    await self._acting.act(action, self._state)
            from . import control as control_port

            orphans.adopt()
            self._tasks.create(self._launcher.orphans.reap_for_ever())
            self._tasks.create(self._pulse.beat(self._beaten))
            control = await control_port.serve(self._status, self._settings, self._view.looked_at)
            if self._pushing is not None:
                self._tasks.create(self._pushing.repeat())
            if self._channel is not None:
                await self._channel.begin()
                self._tasks.create(self._channel.run())
                self._tasks.create(self._acting.prepare(self._channel.identify))
            while not self._finished and not self._broken:
                await self._step(await self._next_event())
        finally:
            await self._clean_up()
            if self._channel is not None:
                await self._channel.close()
            if self._pushing is not None:
                await self._pushing.last()
            if control is not None:
                await control.close()
        return ExitCode.UNEXPECTED if self._broken else self._state.exit_code or ExitCode.OK

    async def _next_event(self) -> Event:
        if not self._events.empty():  # what has come may be what the deadline is for
            return self._events.get_nowait()
        deadline = self._state.due
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            return await asyncio.wait_for(self._events.get(), left)
        except TimeoutError:
            return lifecycle.Due()

    async def _step(self, event: Event) -> None:
        if (frozen := self._pulse.frozen) > self._frozen:
            # Before what seems to follow from it: what is due now may not be any more.
            seconds, self._frozen = frozen - self._frozen, frozen
            await self._decide(lifecycle.Thawed(seconds))
            if self._acting.engine is not None:
                self._acting.engine.look_again()
        await self._decide(event)

    async def _decide(self, event: Event) -> None:
        before, now = self._state, time.monotonic()
        jitter = random.random()  # noqa: S311 - spreads restarts, guards nothing
        self._state, actions = lifecycle.step(before, event, self._policy, now, jitter)
        if self._state.end is not None:
            self._acting.stop_prefetch()
        self._status.publish(self._state)
        if self._channel is not None:
            self._channel.publish(self._state)
        self._status.note(event)
        for level, line in announce.lines(before, event, self._state, self._policy, now):
            log.log(level, "%s", line)
        for action in actions:
            await self._acting.act(action, self._state)
            self._finished = self._finished or action is Action.EXIT

    def _beaten(self) -> None:
        """Once a second: after a freeze the loop wakes by this, if by nothing else."""
        self._view.beat()
        if self._pulse.frozen > self._frozen:
            self._events.put_nowait(lifecycle.Due())
        self._summarise()
        journal = self._acting.journal
        if isinstance(self._state.end, lifecycle.Answering) and journal.works:
            self._events.put_nowait(lifecycle.JobsSeen(journal.in_hand, journal.taken))

    def _summarise(self) -> None:
        if (figures := self._status.figures()) is None:
            return
        restarts, seen = self._state.history.restarts, self._status.seen
        if line := self._summary.see(figures, restarts, seen, self._status.clock()):
            log.info("%s", line)

    # --- what surrounds them ---

    def _asked_to_stop(self, number: signal.Signals) -> None:
        log.info("%s received", signal.Signals(number).name)
        self._events.put_nowait(lifecycle.Stop())
        if self._channel is not None:
            self._channel.asked_to_stop()

    def _is_broken(self) -> None:
        """What was watched is watched no more: the worker ends, and the platform replaces it."""
        self._broken = True
        self._events.put_nowait(lifecycle.Due())

    async def _clean_up(self) -> None:
        children = self._launcher.children
        for child in children:
            child.signal(signal.SIGKILL)
        self._tasks.cancel()
        await self._acting.end_prefetch()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLEAN_UP_WITHIN):
                await asyncio.gather(*(child.wait() for child in children if child.alive()))
                for child in children:
                    self._launcher.release(child)
                await self._launcher.orphans.end()
        self._launcher.close()


def _say_fault(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """One line for what the event loop could not do, such as to accept a connection."""
    log.warning("%s (%s)", context.get("message"), context.get("exception"))
