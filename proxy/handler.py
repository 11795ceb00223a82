"""Answers one job: its input becomes a request, the engine's answer one object or batches."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from proxy.engine import Engine
from proxy.errors import AnswerTooLarge, EngineRefused, ErrorInStream, JobError
from proxy.job_log import Record
from proxy.request import forms, settle
from proxy.request.forms import Request
from proxy.settings import Settings
from proxy.stream import batches, finite, native, sse
from proxy.stream.pace import Pace
from proxy.stream.ramp import MOST_BYTES, Batches
from proxy.stream.socket import Stream
from supervisor.link.figures import Figures
from supervisor.settings import table

log = logging.getLogger("proxy")


class Handler:
    """Answers jobs from one engine, and counts them in `figures`.

    Args:
        settings: the proxy's.
        engine: is closed with the handler.
        clock: gives seconds and never goes back.
    """

    def __init__(
        self, settings: Settings, engine: Engine, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.figures = Figures()
        self._settings = settings
        self._engine = engine
        self._clock = clock
        self._pace = Pace(settings[table.BATCH_MAX_LATENCY_MS])

    async def __call__(self, job: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """Yield the job's answer: one object, or the batches of a stream.

        Raises:
            JobError: the job failed. Who reads a stream of events has got it as the last event.
        """
        record = Record(str(job.get("id")), self._clock, keep=self._settings[table.LOG_CONTENT])
        with self._accounted(record):
            request = forms.read(job, self._settings)
            record.route, record.asked = request.route, request.body
            try:
                async for output in self._tries(request, record):
                    yield self._counted(output, record)
            except JobError as fault:
                begun = record.first is not None
                if isinstance(fault, ErrorInStream):
                    self._failed(record, fault)
                    for output in fault.last:
                        yield self._counted(output, record)
                error = await self._engine.why_broken(fault, record.tokens) if begun else fault
                if self._reads_events(request) and not isinstance(fault, ErrorInStream):
                    self._failed(record, error)
                    yield error.as_event()
                try:
                    raise error from fault.__cause__
                finally:
                    del error  # or it would hold this frame, and the job with it, in a circle

    async def until_given_up(self) -> str:
        """Wait until the supervisor gives the engine up; returns why."""
        return await self._engine.until_given_up()

    def thawed(self) -> None:
        """The process stood still; see `proxy.awake`."""

    async def close(self) -> None:
        """Close the connections to the engine."""
        await self._engine.close()

    @contextmanager
    def _accounted(self, record: Record) -> Iterator[None]:
        """Count a job and log how it ended. A fault of the proxy's own becomes a JobError."""
        self.figures.jobs += 1
        self.figures.taken += 1
        try:
            yield
            self.figures.answered += 1
        except JobError as reason:
            self._failed(record, reason)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            if not record.failed:
                record.outcome = "cancelled"
                self.figures.cancelled += 1
            raise
        except Exception as fault:
            record.outcome = "500 fault in the worker"
            self.figures.failed += 1
            log.exception("job %s: a fault in the worker itself", record.job)
            raise JobError(f"the worker failed on this job: {type(fault).__name__}") from fault
        finally:
            self.figures.jobs -= 1
            log.info("%s", record)
            if self._settings[table.LOG_CONTENT]:
                log.info("%s", record.content())

    def _failed(self, record: Record, reason: JobError) -> None:
        """Note that a job fails, once, before anybody hears of it: a stop then changes nothing."""
        record.outcome = f"{reason.status} {reason.type}"
        if not record.failed:
            record.failed = True
            self.figures.failed += 1
            self.figures.refused += isinstance(reason, EngineRefused) and reason.status < 500

    def _counted(self, output: Any, record: Record) -> Any:
        record.yielded(output)
        self.figures.batches += 1
        return output

    def _reads_events(self, request: Request) -> bool:
        return request.stream and not request.native and self._settings[table.RAW_OPENAI_OUTPUT]

    async def _tries(self, request: Request, record: Record) -> AsyncGenerator[Any, None]:
        """The answer; asked for once more where the engine was lost before any of it came.

        Raises:
            JobError: it was lost again, or after something of the answer had come.
        """
        for again in (False, True):
            try:
                settled = await self._settled(request, record)
                answer = self._stream if settled.stream else self._whole
                async for output in answer(settled, record, again=again):
                    yield output
            except JobError as fault:
                self.figures.engine_errors += (
                    isinstance(fault, EngineRefused) and fault.status >= 500
                )
                begun = record.first is not None
                if begun or again or not await self._engine.is_lost(fault):
                    raise
                log.warning(
                    "job %s: retrying: the engine was lost before any output: %s", record.job, fault
                )
            else:
                return
            self.figures.resent += 1
            await self._engine.until_ready()

    async def _settled(self, request: Request, record: Record) -> Request:
        """The request as this engine takes it: nothing of it is left out without a word."""
        strict = self._settings[table.STRICT_PARAMETERS]
        settled = await settle.settled(request, self._engine, strict=strict)
        if settled.remark is not None:
            log.warning("job %s: %s", record.job, settled.remark)
        record.asked = settled.request.body
        return settled.request

    async def _whole(
        self, request: Request, record: Record, *, again: bool
    ) -> AsyncGenerator[Any, None]:
        """An answer in one piece."""
        answer = await self._engine.answer(request, again=again)
        record.tokens = _tokens_of(answer)
        self.figures.tokens += record.tokens or 0
        yield native.whole(answer) if request.native else answer

    async def _stream(
        self, request: Request, record: Record, *, again: bool
    ) -> AsyncGenerator[Any, None]:
        """A stream in batches; one that has an error event ends the stream as ErrorInStream."""
        form = self._form(request)
        waiting = Batches(request.ramp, exact=self._pace.exact)
        with self._pace.stream():
            async with self._engine.stream(request, again=again) as stream:
                _close_with_task(stream)
                async for events in batches.batches(stream, waiting, self._pace):
                    self.figures.tokens += record.streamed(waiting.seen, events)
                    text = b"".join(events)
                    self.figures.bytes += len(text)
                    batch = form(events, text)
                    if b'"error"' in text and (body := _error_in(events)) is not None:
                        last = tuple(_parts(batch, len(text)))
                        raise ErrorInStream(sse.status(body), body, last)
                    for output in _carried(batch, len(text)):
                        yield output

    def _form(self, request: Request) -> Callable[[list[bytes], bytes], Any]:
        """What makes an output of a batch: from its events, or from their text in one piece."""
        if request.native:
            native_stream = native.Stream()
            return lambda events, _text: native_stream.batch(events)
        if self._settings[table.RAW_OPENAI_OUTPUT]:
            return lambda _events, text: finite.valid(text).decode(errors="replace")
        return lambda events, _text: [chunk for event in events if (chunk := sse.parsed(event))]


def _carried(batch: Any, size: int) -> Iterator[Any]:
    """`batch`, None for nothing, in parts that the platform carries.

    Args:
        batch: what is yielded.
        size: bytes of the events in it. Only a single event can be too large.

    Raises:
        AnswerTooLarge: it cannot be parted.
    """
    if size > MOST_BYTES and not isinstance(batch, str | None):
        raise AnswerTooLarge(
            f"an event of the stream has {size / 1e6:.1f} MB, and the platform carries 1 MB; ask"
            " for less, or set RAW_OPENAI_OUTPUT=1"
        )
    return _parts(batch, size)


def _parts(batch: Any, size: int) -> Iterator[Any]:
    """`batch`, in parts where it is too large and text: who reads it puts them together again."""
    if size > MOST_BYTES and isinstance(batch, str):
        most = MOST_BYTES // 4  # characters: each may take four bytes
        yield from (batch[start : start + most] for start in range(0, len(batch), most))
    elif batch is not None:
        yield batch


def _tokens_of(answer: Any) -> int | None:
    """How many tokens an answer in one piece has, where it says so."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(usage, dict):
        return None
    count = usage.get("completion_tokens", usage.get("output_tokens"))
    return count if isinstance(count, int) else None


def _close_with_task(stream: Stream) -> None:
    """Close the request when the job's task ends.

    A job is stopped by cancelling its task. If that hits while a batch is posted, our generator
    stays suspended, and only the garbage collector would end the request.
    """
    task = asyncio.current_task()
    if task is not None:
        task.add_done_callback(lambda _task: stream.close())


def _error_in(events: list[bytes]) -> bytes | None:
    """The data of the first event that reports an error."""
    return next((body for event in events if (body := sse.error(event)) is not None), None)
