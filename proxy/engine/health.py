"""Whether the engine is well: told by itself and by the supervisor, not by the errors it gives.

Versions of vLLM differ in how a dead engine answers: 400 inside streams and 500 on `/health` up to
0.13, 500 and 503 since then.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from proxy.engine.lives import Lives, Sent
from proxy.engine.supervision import Supervision
from proxy.errors import (
    EngineRefused,
    EngineRestarted,
    EngineSilent,
    EngineUnavailable,
    JobError,
    StreamBroken,
)
from proxy.settings import Settings
from proxy.wire.client import Client
from supervisor.settings import table

T = TypeVar("T")

_HEALTH_WITHIN = 3.0  # seconds
_PAUSE_FIRST, _PAUSE_MOST = 0.05, 0.5  # seconds before an engine that is away is asked again
_OK = 200


class Health:
    """What is known of the engine. Used inside one event loop.

    Args:
        settings: the proxy's.
        client: asks the engine, by a new connection for each question.
        supervision: is asked why an engine ended, and is closed by its owner.
        clock: gives seconds, and leaves out those for which the process stood still.
    """

    def __init__(
        self,
        settings: Settings,
        client: Client,
        supervision: Supervision,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._client = client
        self._supervision = supervision
        self._clock = clock
        self._lives = Lives()
        self._open = False  # the supervisor let jobs in, and the engine has been there since then
        self._asking = asyncio.Lock()
        self._asked_at = 0.0
        self._well = False

    def sent(self) -> Sent:
        """What is to be known of a request that is sent now, when its answer breaks off."""
        return self._lives.sent()

    async def is_lost(self, fault: JobError, sent: Sent) -> bool:
        """Whether `fault` means that the engine, or the connection to it, was lost.

        An error from an engine that is well is its answer, whatever status it has.
        """
        if isinstance(fault, StreamBroken):
            return True
        if not isinstance(fault, EngineRefused | EngineSilent):
            return False
        return not await self.is_well() or await self._is_away() or self._lives.was_another(sent)

    async def is_well(self) -> bool:
        """Whether the engine says so now. Those who ask at the same time share one question."""
        now = time.monotonic()
        async with self._asking:
            if self._asked_at < now:  # a question that began earlier says nothing of now
                self._asked_at = time.monotonic()
                self._well = await self._ask()
            return self._well

    async def has_ended(self, sent: Sent, *, surely: bool) -> bool:
        """Whether the engine that got the request is gone.

        Args:
            sent: when it got it.
            surely: also give one that still answers the time to show that it has died.
        """
        if not await self.is_well():
            return True
        if not await self._is_away() and self._lives.was_another(sent):
            return True
        if not surely:
            return False
        before = await self._supervision.standing()
        after = await self._supervision.after_a_loss()
        if before is None or after is None:
            return False
        return after.away or after.restarts != before.restarts

    async def why_ended(self) -> str | None:
        """Why the last engine ended; None where nobody says."""
        standing = await self._supervision.after_a_loss()
        return None if standing is None else standing.last_failure

    async def why_broken(self, fault: JobError, tokens: int | None, sent: Sent) -> JobError:
        """The error for an answer that broke off: EngineRestarted if the engine ended, or `fault`.

        A socket is not read while an output is under way to the platform. That may take longer than
        a restart, so that the engine is well when its end is seen, and is another one.

        Args:
            fault: how it broke off.
            tokens: how many had come; None where nobody knows.
            sent: when the engine got the request.
        """
        may_be = isinstance(fault, EngineRefused | EngineSilent | StreamBroken)
        if isinstance(fault, EngineRestarted) or not may_be:
            return fault
        came = f", after {tokens} tokens" if tokens else ""
        ended = f"the engine ended in the middle of this answer{came}, and"
        if await self.is_well() and not await self._is_away():
            if not self._lives.was_another(sent):
                return fault
            standing = await self._supervision.standing()
            cause = None if standing is None else standing.last_failure
            why = f": {cause}" if cause else ""
            return EngineRestarted(f"{ended} was restarted; send the job again{why}")
        standing = await self._supervision.after_a_loss()
        why = f": {standing.words}" if standing is not None else ""
        return EngineRestarted(f"{ended} is being restarted; send the job again{why}")

    async def until_ready(self) -> None:
        """Wait for the engine, at most ENGINE_WAIT_TIMEOUT.

        Raises:
            EngineUnavailable: it did not come, or will not; with the cause.
        """
        await self.once_there(self._see_that_it_is_well)

    async def until_given_up(self) -> str:
        """Wait until the supervisor gives the engine up; returns why."""
        return await self._supervision.until_failed()

    async def once_there(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` brings; asked again while there is no engine, unless none will come.

        An engine that answers already is none before the supervisor says that it is ready: it may
        be warmed up.

        By hand: tenacity keeps each error in a circle with its frames, and so with the whole
        request, until a garbage collection.

        Raises:
            EngineUnavailable: none came within ENGINE_WAIT_TIMEOUT, or none will; with the cause.
            JobError: what `ask` raises of another kind.
        """
        limit = self._settings[table.ENGINE_WAIT_TIMEOUT]
        end = self._clock() + limit
        pause = _PAUSE_FIRST
        while True:
            with contextlib.suppress(EngineUnavailable):
                if self._open or await self._opens():
                    return await ask()
            self._open = False
            late = self._clock() >= end
            standing = await self._supervision.standing()
            if late:
                why = "" if standing is None else f"; {standing.words}"
                raise EngineUnavailable(f"no engine was ready within {limit:.0f} s{why}")
            if standing is not None and standing.over:
                raise EngineUnavailable(standing.words)
            jitter = _PAUSE_FIRST * random.random()  # noqa: S311
            if standing is not None and standing.away:
                await self._supervision.until_ready(_PAUSE_MOST)
            else:
                await asyncio.sleep(min(_PAUSE_MOST, pause + jitter))
            pause = min(_PAUSE_MOST, 2 * pause)

    async def _see_that_it_is_well(self) -> None:
        if not await self.is_well():
            raise EngineUnavailable("the engine is not ready")

    async def _opens(self) -> bool:
        """Whether there is an engine. One that was gone begins its next life before any job."""
        self._open = not await self._is_away() and (not self._lives.gone or await self.is_well())
        return self._open

    async def _is_away(self) -> bool:
        standing = await self._supervision.standing()
        if standing is None or standing.away:
            return standing is not None
        self._lives.told(standing)
        return False

    async def _ask(self) -> bool:
        well = False
        with contextlib.suppress(JobError, TimeoutError):
            async with asyncio.timeout(_HEALTH_WITHIN):
                answer = await self._client.ask("GET", "/health", fresh=True)
            well = answer.status == _OK
            self._client.end(answer)
        self._lives.asked(well=well)
        self._open = self._open and well
        return well
