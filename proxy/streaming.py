"""Answers a job with a stream, which goes on where it was if its engine is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

from proxy.engine.requests import Attempt, Engine
from proxy.errors import (
    EngineRefused,
    EngineRestarted,
    EngineUnavailable,
    ErrorInStream,
    JobError,
)
from proxy.job_log import Record
from proxy.request.forms import Request
from proxy.resume import end, keep_alive
from proxy.resume.resuming import CannotResume, Resuming
from proxy.resume.seam import OtherKind, OtherWord, Seam
from proxy.resume.told import Told
from proxy.settings import Settings
from proxy.stream import batches
from proxy.stream.outputs import Outputs
from proxy.stream.pace import Pace
from proxy.stream.ramp import Batches
from proxy.streamed import Streamed
from supervisor.link.figures import Figures, Unresumed
from supervisor.settings import table

log = logging.getLogger("proxy")


class Streams:
    """Streams of one engine, counted in `figures`.

    Args:
        settings: the proxy's.
        engine: answers.
        figures: in which tokens, bytes and losses are counted.
        keep_alive_s: seconds from one comment to the next while a stream waits for an engine.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        figures: Figures,
        keep_alive_s: float = keep_alive.EVERY,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._figures = figures
        self._pace = Pace(settings[table.BATCH_MAX_LATENCY_MS])
        self._resuming = Resuming(settings, engine)
        self._keep_alive = keep_alive_s

    async def outputs(
        self, request: Request, record: Record, attempt: Attempt, sent: Sequence[bytes] | None
    ) -> AsyncGenerator[Any, None]:
        """A stream in batches.

        Args:
            request: as it is sent.
            record: of the job.
            attempt: which try it is.
            sent: what was yielded so far, each output as JSON; None: nobody keeps it.

        Raises:
            JobError: the stream breaks; ErrorInStream where it says so itself.
        """
        as_text = self._settings[table.RAW_OPENAI_OUTPUT]
        stream = Streamed(
            request,
            record,
            self._figures,
            Outputs(own_form=request.native, as_text=as_text),
            Batches(request.ramp, exact=self._pace.exact),
            keep_alive.Beat(self._keep_alive) if as_text and not request.native else None,
        )
        with self._pace.stream():
            try:
                async with aclosing(self._part(stream, request, attempt)) as outputs:
                    async for output in outputs:
                        yield output
            except JobError as fault:
                lost = await self._lost(fault, record, attempt)
                if lost is None:
                    raise
                async with aclosing(self._rest(stream, attempt, sent, lost)) as outputs:
                    async for output in outputs:
                        yield output
        record.answered = True  # also where the end of the stream made no output

    async def _lost(self, fault: JobError, record: Record, of: Attempt) -> EngineRestarted | None:
        """Why the answer broke off, if that is because the engine was lost in its middle.

        The engine says then what its version says, as that the request was wrong.
        """
        if record.first is None:
            return None
        error = await self._engine.health.why_broken(fault, record.tokens, of.sent())
        if isinstance(fault, EngineRefused):
            self._figures.engine_errors += error is not fault or fault.status >= 500
        return error if isinstance(error, EngineRestarted) else None

    async def _rest(
        self,
        stream: Streamed,
        attempt: Attempt,
        sent: Sequence[bytes] | None,
        lost: EngineRestarted,
    ) -> AsyncGenerator[Any, None]:
        """The rest of an answer, from the next engine; raises `lost` where it cannot be had."""
        request, record = stream.request, stream.record
        try:
            finish = stream.outputs.finish
            so_far = await self._resuming.begun(request, sent, attempt.losses, finish)
            stream = stream.anew()
            if (last := end.known(request, so_far)) is not None:
                self._figures.resumed += 1
                for output in stream.last(last):
                    yield output
                return
            record.trace.again(type(lost).__name__)
            words, of_job = "job %s: its answer waits for the next engine: %s", {"job": record.job}
            log.warning(words, record.job, str(lost), extra=of_job)
            for half_words in (False, True):
                going = self._going_on(stream, attempt, so_far, half_words=half_words)
                with contextlib.suppress(OtherWord):
                    async with aclosing(going) as outputs:
                        async for output in outputs:
                            yield output
                    break
                stream, attempt = stream.anew(), replace(attempt, number=attempt.number + 1)
            self._figures.resumed += 1
        except CannotResume as cannot:
            self._figures.unresumed[cannot.reason] += 1
            raise cannot.told(lost) from None

    async def _going_on(
        self, stream: Streamed, attempt: Attempt, so_far: Told, *, half_words: bool
    ) -> AsyncGenerator[Any, None]:
        """The rest of an answer, once an engine is there.

        Raises:
            CannotResume, JobError: it cannot be had, or fails.
            OtherWord: it cannot be had in this way; nothing of it was yielded.
        """
        rest_of = self._resuming.rest(stream.request, so_far, half_words=half_words)
        waited = asyncio.create_task(rest_of)
        try:
            if stream.beat is not None:
                async for comment in keep_alive.until_done(waited, stream.beat):
                    yield comment
            rest = await waited
        finally:
            waited.cancel()
        if rest.request is None:
            for output in stream.last(rest.last):
                yield output
            return
        again = self._after(attempt, stream.record)
        source = self._part(stream, rest.request, again, rest.seam)
        try:
            async with aclosing(source) as outputs:
                async for output in outputs:
                    yield output
        except OtherKind:
            raise CannotResume(Unresumed.REASONING) from None
        except JobError as fault:
            if (cannot := await self._second(fault, stream.record, again)) is not None:
                raise cannot from None
            self._figures.unresumed[Unresumed.FAILED] += 1
            raise

    async def _second(
        self, fault: JobError, record: Record, attempt: Attempt
    ) -> CannotResume | None:
        """What `fault` means for an answer that went on; None where it speaks for itself."""
        if await self._lost(fault, record, attempt) is not None:
            return CannotResume(Unresumed.SECOND_LOSS)
        if isinstance(fault, EngineUnavailable):
            return CannotResume(Unresumed.NO_ENGINE, fault)
        refused = isinstance(fault, EngineRefused) and not isinstance(fault, ErrorInStream)
        return CannotResume(Unresumed.REFUSED, fault) if refused else None

    async def _part(
        self, stream: Streamed, request: Request, attempt: Attempt, seam: Seam | None = None
    ) -> AsyncGenerator[Any, None]:
        """What one engine gives of an answer, from the `seam` on."""
        opening, beat = self._engine.stream(request, attempt), stream.beat if seam else None
        async with keep_alive.opened(opening, beat) as source:
            async for events in batches.batches(source, stream.waiting, self._pace):
                for output in stream.batch(seam.joined(events) if seam else events):
                    yield output

    def _after(self, attempt: Attempt, record: Record) -> Attempt:
        """The sending of the question for the rest. What has given output is no suspect."""
        number, sent = attempt.number + 1, self._engine.health.sent()

        def may_go() -> bool:
            nonlocal sent
            sent = self._engine.health.sent()
            record.sending(number)
            return True

        headers, unsent = record.trace.headers(number), partial(record.unsent, number)
        return Attempt(number, may_go, headers, 1, lambda: sent, unsent)
