"""One job's tries: sent again, as often as that takes, where the engine was lost before any output.

A connection that is cut while the engine lives on is made again once.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any

from proxy.engine.health import Health
from proxy.engine.lives import Sent
from proxy.engine.requests import Attempt, HeldBack
from proxy.errors import EndsEngine, EngineRefused, JobError
from proxy.job_log import Record
from proxy.losses.suspects import Suspects, Trial
from proxy.stream.raw import Comment
from supervisor.link.figures import Figures

log = logging.getLogger("proxy")

#: One try: what it yields.
Ask = Callable[[Attempt], AsyncGenerator[Any, None]]


class Tries:
    """Asks the engine, for every job of a handler. Used inside one event loop.

    Args:
        health: of the engine.
        figures: in which losses are counted.
        alone: is told which job is alone in the engine and may end it; see `suspects`.
    """

    def __init__(
        self, health: Health, figures: Figures, alone: Callable[[str | None], None]
    ) -> None:
        self._health = health
        self._figures = figures
        self._suspects = Suspects(alone)

    async def outputs(self, record: Record, ask: Ask) -> AsyncGenerator[Any, None]:
        """What `ask` yields, asked again where the engine was lost before anything of the answer.

        Raises:
            EndsEngine: the engine ended while it had this job alone.
            JobError: what `ask` raises otherwise.
        """
        trial = Trial(record.job)
        number = 1  # of the sending
        sent = self._health.sent()
        cut_in: int | None = None  # the life in which the connection was cut
        again = False  # it was sent once more, which is not counted yet

        def may_go() -> bool:
            nonlocal sent, again
            sent = self._health.sent()
            may = self._suspects.may_go(trial)
            if may:
                again = record.waited is not None
                record.sending(number)
            return may

        def when() -> Sent:
            return sent

        def unsent() -> None:
            nonlocal again
            again = False
            record.unsent(number)

        def count() -> None:
            nonlocal again
            self._figures.resent += again
            again = False

        try:
            await self._suspects.enter(trial)
            while True:
                sent = self._health.sent()
                headers = record.trace.headers(number)
                attempt = Attempt(number, may_go, headers, trial.deaths, when, unsent)
                try:
                    async for output in ask(attempt):
                        if not trial.begun and not isinstance(output, Comment):
                            self._suspects.begun(trial)
                            count()
                        yield output
                except HeldBack:  # it waited for an engine, and became a suspect meanwhile
                    pass
                except JobError as fault:
                    if record.first is not None or not await self._is_lost(fault, sent):
                        raise
                    tried = self._suspects.is_tried(trial)
                    surely = tried or sent.life == cut_in
                    if not await self._health.has_ended(sent, surely=surely):
                        if sent.life == cut_in:
                            raise
                        cut_in = sent.life
                    elif tried:
                        raise await self._found(trial) from None
                    else:
                        self._suspects.lost(trial, sent.life)
                    log.warning(
                        "job %s: retrying: the engine was lost before any output: %s",
                        record.job,
                        str(fault),  # who keeps the record keeps no frames
                        extra={"job": record.job},
                    )
                    record.trace.again(type(fault).__name__)
                    number += 1
                else:
                    return
                finally:
                    count()
                await self._suspects.turn(trial)
                await self._health.until_ready()
                while not self._suspects.may_go(trial):  # another end was counted meanwhile
                    await self._suspects.turn(trial)
                    await self._health.until_ready()
        finally:
            self._suspects.leave(trial)

    async def _is_lost(self, fault: JobError, sent: Sent) -> bool:
        lost = await self._health.is_lost(fault, sent)
        if isinstance(fault, EngineRefused):
            self._figures.engine_errors += lost or fault.status >= 500
        return lost

    async def _found(self, trial: Trial) -> EndsEngine:
        cause = await self._health.why_ended()
        return EndsEngine(
            "this job was alone in the engine when it ended, and in hand when"
            f" {trial.deaths} others ended; it is not sent again" + (f": {cause}" if cause else "")
        )
