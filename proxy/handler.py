"""Answers one job: its input becomes a request, the engine's answer one object or batches."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from typing import Any

from proxy.engine.requests import Attempt, Engine
from proxy.errors import EngineRefused, ErrorInStream, JobError
from proxy.job_log import Record
from proxy.losses.tries import Tries
from proxy.media.judge import Judge
from proxy.request import forms, settle
from proxy.request.forms import Request
from proxy.settings import Settings
from proxy.stream import apart, whole
from proxy.stream.raw import Comment
from proxy.streaming import Streams
from proxy.tally import Tally, outcome
from proxy.traces.trace import Traces
from supervisor.link.figures import CANCELLED, Figures
from supervisor.settings import table

log = logging.getLogger("proxy")

_IDLE_LOOK = 1.0  # seconds between two looks at whether a job is in hand


class Handler:
    """Answers jobs from one engine, and counts them in `figures`.

    Args:
        settings: the proxy's.
        engine, traces: are closed with the handler; the traces are told of each job.
        alone: is told which job is alone in the engine and may end it; None: none is any more.
        clock: gives seconds and never goes back.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        alone: Callable[[str | None], None] = lambda _job: None,
        clock: Callable[[], float] = time.monotonic,
        traces: Traces | None = None,
    ) -> None:
        self.figures, self.traces = Figures(), traces or Traces()
        self._settings = settings
        self._engine = engine
        self._clock = clock
        self._tally = Tally(self.figures, settings.allowed_routes, settings.worker_routes)
        self._tries = Tries(engine.health, self.figures, alone)
        self._media = Judge(settings)
        self._native = apart.Native()
        self._streams = Streams(settings, engine, self.figures)

    async def __call__(
        self, job: Mapping[str, Any], sent: Sequence[bytes] | None = None
    ) -> AsyncGenerator[Any, None]:
        """Yield the job's answer: one object, or the batches of a stream.

        `sent` has what was yielded so far, each output as JSON; without it no stream outlives its
        engine. `RawJson` is JSON as the engine wrote it; a `Comment` is nothing of the answer yet.

        Raises:
            JobError: the job failed. Who reads a stream of events has got it as the last event.
        """
        trace, keep = self.traces.of(job), self._settings[table.LOG_CONTENT]
        record = Record(str(job.get("id")), self._clock, trace, keep=keep)
        with self._accounted(record), self._understood(record):
            request = forms.read(job, self._settings)
            record.route, record.asked = request.route, request.body
            record.streams = request.stream
            try:
                with self._understood(record):
                    async for output in self._outputs(request, record, sent):
                        yield self._counted(output, record)
            except JobError as fault:
                self._failed(record, fault)
                for output in self._last(request, fault):
                    yield self._counted(output, record)
                raise

    async def until_given_up(self) -> str:
        """Wait until the supervisor gives the engine up; returns why."""
        return await self._engine.health.until_given_up()

    async def prepare(self) -> None:
        """Ask an engine that is ready what it takes, once no job is in hand.

        It writes that down at the first question, which takes it a second. The job for which this
        worker was woken has not come yet when the engine is ready, so there is a pause first.
        """
        with suppress(JobError):
            await self._engine.health.until_ready()
            await asyncio.sleep(_IDLE_LOOK)
            while self.figures.jobs:
                await asyncio.sleep(_IDLE_LOOK)
            await self._engine.schema()

    def thawed(self) -> None:
        """The process stood still; see `proxy.awake`."""
        self._engine.thawed()

    async def close(self) -> None:
        """Close the connections to the engine; what was noted of jobs goes out."""
        await self._engine.close()
        await self.traces.close()

    @contextmanager
    def _accounted(self, record: Record) -> Iterator[None]:
        """Count a job and log how it ended.

        A stop that comes when the last output has been handed over changes nothing: a client closes
        a stream as soon as it has read its end.
        """
        self._tally.began()
        try:
            yield
        except JobError as reason:
            self._failed(record, reason)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            if not record.answered and record.ended is None:
                record.fails(None, "cancelled")
                record.ended = CANCELLED
            raise
        finally:
            self._tally.ended(record)
            record.trace.done(record.route, record.asked, record.tokens)
            line, fields = record.line()
            log.log(record.level, "%s", line, extra=fields)
            if self._settings[table.LOG_CONTENT]:
                log.info("%s", record.content(), extra={"job": fields["job"]})

    @contextmanager
    def _understood(self, record: Record) -> Iterator[None]:
        """A fault of the proxy's own becomes a JobError; the log alone has its traceback."""
        try:
            yield
        except JobError:
            raise
        except Exception as fault:
            of_job = {"job": record.job}
            log.exception("job %s: a fault in the worker itself", record.job, extra=of_job)
            raise JobError(f"the worker failed on this job: {type(fault).__name__}") from fault

    def _failed(self, record: Record, reason: JobError) -> None:
        """Note that a job fails, once, before anybody hears of it: a stop then changes nothing."""
        record.fails(reason.status, reason.type, str(reason))
        if record.ended is None:
            record.ended = outcome(reason)
            self.figures.refused += isinstance(reason, EngineRefused) and reason.status < 500

    def _counted(self, output: Any, record: Record) -> Any:
        if isinstance(output, Comment):
            self.figures.batches += 1
        else:
            self._tally.output(record)
            record.yielded(output)
        return output

    def _last(self, request: Request, fault: JobError) -> Sequence[Any]:
        """The outputs in which the caller of a stream reads why it ends."""
        if isinstance(fault, ErrorInStream):
            return fault.last
        reads_events = not request.native and self._settings[table.RAW_OPENAI_OUTPUT]
        return (fault.as_event(request.route),) if request.stream and reads_events else ()

    def _outputs(
        self, request: Request, record: Record, sent: Sequence[bytes] | None
    ) -> AsyncGenerator[Any, None]:
        if request.route in self._settings.worker_routes:
            return self._of_worker(request, record)
        return self._tries.outputs(
            record, lambda attempt: self._answer(request, record, attempt, sent)
        )

    async def _of_worker(self, request: Request, record: Record) -> AsyncGenerator[Any, None]:
        """What the worker answers itself, whatever the engine does."""
        output = await self._engine.of_worker(request.route)
        record.answered = True
        yield output

    async def _settled(self, request: Request, record: Record) -> Request:
        """The request as this engine takes it: nothing of it is left out without a word."""
        await self._media.check(request)
        strict = self._settings[table.STRICT_PARAMETERS]
        settled = await settle.settled(request, self._engine, strict=strict)
        if settled.remark is not None:
            log.warning("job %s: %s", record.job, settled.remark, extra={"job": record.job})
        record.asked = settled.request.body
        return settled.request

    async def _answer(
        self, request: Request, record: Record, attempt: Attempt, sent: Sequence[bytes] | None
    ) -> AsyncGenerator[Any, None]:
        request = await self._settled(request, record)
        if request.stream:
            outputs = self._streams.outputs(request, record, attempt, sent)
        else:
            outputs = self._whole(request, record, attempt)
        async with aclosing(outputs):
            async for output in outputs:
                yield output

    async def _whole(
        self, request: Request, record: Record, attempt: Attempt
    ) -> AsyncGenerator[Any, None]:
        """An answer in one piece."""
        answer = await self._engine.whole(request, attempt)
        if request.native:
            output, record.tokens = await self._native(answer.body)
        else:
            output, record.tokens = await whole.output(answer)
        self.figures.tokens += record.tokens or 0
        record.answered = True
        yield output
