"""The SDK's handler: one job in, batches of its answer out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from proxy.engine import Engine, Stream
from proxy.errors import AnswerTooLarge, EngineRefused, JobError
from proxy.job_log import Record
from proxy.request import dropped, forms
from proxy.request.forms import Request
from proxy.settings import Settings
from proxy.stream import batches, native, sse
from proxy.stream.pace import Pace
from proxy.stream.ramp import MOST_BYTES, Batches
from supervisor.link.figures import Figures
from supervisor.settings import table

log = logging.getLogger("proxy")


class Handler:
    """Answers jobs from one engine. `clock` gives seconds and never goes back."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        clock: Callable[[], float] = time.monotonic,
        figures: Figures | None = None,
    ) -> None:
        self.figures = figures or Figures()
        self._settings = settings
        self._engine = engine
        self._clock = clock
        self._pace = Pace(settings[table.BATCH_MAX_LATENCY_MS])

    async def __call__(self, job: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """Yield the job's answer: one object, or batches of a stream.

        A failure is the last yield, `{"error": JSON}`: the SDK then marks the job as failed. A
        caller who reads a stream of events gets it as an event first.
        """
        record = Record(str(job.get("id")), self._clock, keep=self._settings[table.LOG_CONTENT])
        request = None
        self.figures.jobs += 1
        self.figures.taken += 1
        try:
            request = forms.read(job, self._settings)
            record.route = request.route
            record.asked = request.body
            async for output in self._outputs(request, record):
                record.yielded(output)
                self.figures.batches += 1
                yield output
            self.figures.answered += 1
        except JobError as reason:
            record.outcome = f"{reason.status} {reason.type}"
            self.figures.failed += 1
            self.figures.refused += isinstance(reason, EngineRefused) and reason.status < 500
            if request is not None and self._reads_events(request) and not reason.told:
                yield reason.as_event()
            yield {"error": reason.as_json()}
        except (asyncio.CancelledError, GeneratorExit):
            record.outcome = "cancelled"
            self.figures.cancelled += 1
            raise
        except Exception as fault:
            record.outcome = "500 fault in the worker"
            self.figures.failed += 1
            log.exception("job %s: a fault in the worker itself", record.job)
            error = JobError(f"the worker failed on this job: {type(fault).__name__}")
            yield {"error": error.as_json()}
        finally:
            self.figures.jobs -= 1
            log.info("%s", record)
            if self._settings[table.LOG_CONTENT]:
                log.info("%s", record.content())

    def _reads_events(self, request: Request) -> bool:
        return request.stream and not request.native and self._settings[table.RAW_OPENAI_OUTPUT]

    async def _outputs(self, request: Request, record: Record) -> AsyncGenerator[Any, None]:
        """The answer; asked for once more where the engine was lost before any of it came.

        Raises:
            JobError: it was lost again, or after something of the answer had come.
        """
        for again in (False, True):
            try:
                async for output in self._once(request, record, again=again):
                    yield output
            except JobError as fault:
                self.figures.engine_errors += isinstance(fault, EngineRefused) and (
                    fault.status >= 500
                )
                if record.first is not None:
                    raise await self._engine.why_broken(fault, record.tokens) from fault
                if again or not await self._engine.is_lost(fault):
                    if fault.held is not None:
                        yield fault.held
                        fault.told = True
                    raise
                log.warning("job %s: is sent again, nothing had come: %s", record.job, fault)
            else:
                return
            self.figures.resent += 1
            await self._engine.until_ready()

    async def _once(
        self, request: Request, record: Record, *, again: bool
    ) -> AsyncGenerator[Any, None]:
        if dropped.suspects(request.route, request.body):
            body = dropped.settle(request.body, await self._engine.version())
            request = replace(request, body=body)
            record.asked = body
        if request.stream:
            async for batch in self._stream(request, record, again=again):
                yield batch
        else:
            answer = await self._engine.answer(request, again=again)
            record.tokens = _tokens_of(answer)
            self.figures.tokens += record.tokens or 0
            yield native.whole(answer) if request.native else answer

    async def _stream(
        self, request: Request, record: Record, *, again: bool
    ) -> AsyncGenerator[Any, None]:
        form = self._form(request)
        waiting = Batches(request.ramp, exact=self._pace.exact)
        with self._pace.stream():
            async with self._engine.stream(request, again=again) as stream:
                _close_with_task(stream)
                async for events in batches.batches(stream, waiting, self._pace):
                    self.figures.tokens += waiting.seen - (record.tokens or 0)
                    record.tokens = waiting.seen
                    text = b"".join(events)
                    self.figures.bytes += len(text)
                    error = _error_of(events) if b'"error"' in text else None
                    batch = form(events, text)
                    if error is not None and record.first is None:
                        # Nothing has gone out: perhaps another try can answer the job.
                        error.held = batch
                        raise error
                    if batch is not None:
                        for part in _carried(batch, len(text)):
                            yield part
                    if error is not None:
                        error.told = True
                        raise error

    def _form(self, request: Request) -> Callable[[list[bytes], bytes], Any]:
        """What makes a yield of a batch: of its events, or of all of them in one piece."""
        if request.native:
            native_stream = native.Stream()
            return lambda events, _text: native_stream.batch(events)
        if self._settings[table.RAW_OPENAI_OUTPUT]:
            return lambda _events, text: text.decode()
        return lambda events, _text: [found for event in events if (found := sse.parsed(event))]


def _carried(batch: Any, size: int) -> Iterator[Any]:
    """`batch` in parts that the platform carries. Only a single event can be larger.

    Whoever reads a stream of events puts the parts together again; other forms cannot be parted.

    Raises:
        AnswerTooLarge: it cannot be parted.
    """
    if size <= MOST_BYTES:
        yield batch
    elif isinstance(batch, str):
        most = MOST_BYTES // 4  # characters: each may take four bytes
        yield from (batch[start : start + most] for start in range(0, len(batch), most))
    else:
        raise AnswerTooLarge(
            f"an event of the stream has {size / 1e6:.1f} MB, and the platform carries 1 MB; ask"
            " for less, or set RAW_OPENAI_OUTPUT=1"
        )


def _tokens_of(answer: Any) -> int | None:
    """How many tokens an answer in one piece has, where it says so."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(usage, dict):
        return None
    count = usage.get("completion_tokens", usage.get("output_tokens"))
    return count if isinstance(count, int) else None


def _close_with_task(stream: Stream) -> None:
    """Close the request with the job's task.

    The SDK stops a job by cancelling its task. If that hits while it posts a batch, our generator
    stays suspended, and only the garbage collector would end the request.
    """
    task = asyncio.current_task()
    if task is not None:
        task.add_done_callback(lambda _task: stream.close())


def _error_of(events: list[bytes]) -> EngineRefused | None:
    """The error that the engine reports inside a stream, in its own words."""
    for event in events:
        if (body := sse.error(event)) is not None:
            return EngineRefused(sse.status(body), body)
    return None
