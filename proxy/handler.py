"""The SDK's handler: one job in, batches of its answer out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from proxy import jobs, native, parameters, relay, sse
from proxy.batching import MOST_BYTES, Batches
from proxy.config import Settings
from proxy.engine import Engine, Stream
from proxy.errors import AnswerTooLarge, EngineRefused, JobError
from proxy.jobs import Request
from proxy.pace import Pace
from proxy.record import Record

log = logging.getLogger("proxy")


class Handler:
    """Answers jobs from one engine. `clock` gives seconds and never goes back."""

    def __init__(
        self, settings: Settings, engine: Engine, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._clock = clock
        self._pace = Pace(settings.BATCH_MAX_LATENCY_MS)

    async def __call__(self, job: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """Yield the job's answer: one object, or batches of a stream.

        A failure is the last yield, `{"error": JSON}`: the SDK then marks the job as failed. A
        caller who reads a stream of events gets it as an event first.
        """
        record = Record(str(job.get("id")), self._clock, keep=self._settings.LOG_CONTENT)
        request = None
        try:
            request = jobs.read(job, self._settings)
            record.route = request.route
            record.asked = request.body
            if parameters.suspects(request.route, request.body):
                body = parameters.settle(request.body, await self._engine.version())
                request = replace(request, body=body)
            if request.stream:
                async for batch in self._stream(request, record):
                    record.yielded(batch)
                    yield batch
            else:
                answer = await self._answer(request, record)
                record.yielded(answer)
                yield answer
        except JobError as reason:
            record.outcome = f"{reason.status} {reason.type}"
            if request is not None and self._reads_events(request) and not reason.told:
                yield reason.as_event()
            yield {"error": reason.as_json()}
        except (asyncio.CancelledError, GeneratorExit):
            record.outcome = "cancelled"
            raise
        except Exception as fault:
            record.outcome = "500 fault in the worker"
            log.exception("job %s: a fault in the worker itself", record.job)
            error = JobError(f"the worker failed on this job: {type(fault).__name__}")
            yield {"error": error.as_json()}
        finally:
            log.info("%s", record)
            if self._settings.LOG_CONTENT:
                log.info("%s", record.content())

    def _reads_events(self, request: Request) -> bool:
        return request.stream and not request.native and self._settings.RAW_OPENAI_OUTPUT

    async def _answer(self, request: Request, record: Record) -> Any:
        answer = await self._engine.answer(request)
        record.tokens = _tokens_of(answer)
        return native.whole(answer) if request.native else answer

    async def _stream(self, request: Request, record: Record) -> AsyncGenerator[Any, None]:
        form = self._form(request)
        waiting = Batches(request.ramp, exact=self._pace.exact)
        with self._pace.stream():
            async with self._engine.stream(request) as stream:
                _close_with_task(stream)
                async for events in relay.batches(stream, waiting, self._pace):
                    record.tokens = waiting.seen
                    text = b"".join(events)
                    if (batch := form(events, text)) is not None:
                        for part in _carried(batch, len(text)):
                            yield part
                    if b'"error"' in text:
                        _raise_error_of(events)

    def _form(self, request: Request) -> Callable[[list[bytes], bytes], Any]:
        """What makes a yield of a batch: of its events, or of all of them in one piece."""
        if request.native:
            native_stream = native.Stream()
            return lambda events, _text: native_stream.batch(events)
        if self._settings.RAW_OPENAI_OUTPUT:
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


def _raise_error_of(events: list[bytes]) -> None:
    """An error that the engine reports inside a stream ends the job.

    Raises:
        EngineRefused: with the engine's own words.
    """
    for event in events:
        if (body := sse.error(event)) is not None:
            error = EngineRefused(sse.status(body), body)
            error.told = True
            raise error
