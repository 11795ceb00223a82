"""Hands a job's outputs to the platform: each piece of a stream, then the result.

This replaces the SDK's own way (`rp_job.handle_job`, `rp_http`), which costs a quarter more for
each piece and loses a result for good when its connection breaks or the platform answers 429. Here
a failure becomes the platform's form of it, `{"error": TEXT}`.

A piece whose answer is lost with its connection is sent again and may then stand in the stream
twice. The result has every output once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import tenacity

from proxy.errors import AnswerTooLarge, JobError
from proxy.stream import finite
from proxy.stream.ramp import ANSWER_MOST
from proxy.stream.raw import Comment, RawJson
from proxy.traces.trace import UNTRACED, Trace
from proxy.wire.pool import Origin, request
from proxy.wire.posts import Posts
from supervisor.link.figures import LOST, RETRIED, SENT, Figures

log = logging.getLogger("proxy")

#: Yields a job's outputs; raises JobError where it fails. Gets those handed over so far, as JSON.
Handler = Callable[[dict[str, Any], Sequence[bytes] | None], AsyncGenerator[Any, None]]

#: How a job ended, as the platform takes it: JSON, `{"output": [...]}` or `{"error": TEXT}`.
Result = bytes

_PIECE_WITHIN = 60.0  # seconds of trying: somebody waits for the stream
_RESULT_WITHIN = 300.0  # seconds: the result is all that is left of the job
_TOO_MANY = 429
_TOO_LARGE = (400, 413)
_SOUND = range(200, 300)


class _Refused(Exception):
    """The platform answered with an error status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status

    @property
    def for_good(self) -> bool:
        """Whether asking again cannot help."""
        return self.status < 500 and self.status != _TOO_MANY


class Results:
    """Posts outputs and results.

    Args:
        posts: carries them.
        stream_url: for pieces; holds `$ID` for the job, as the platform gives it.
        done_url: for results; the same.
        headers: of every request.
        clock: gives seconds, and leaves out those for which the process stood still.
        figures: count what becomes of outputs and results, and how long the platform takes.
    """

    def __init__(
        self,
        posts: Posts,
        stream_url: str,
        done_url: str,
        headers: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
        figures: Figures | None = None,
    ) -> None:
        self._posts = posts
        self._stream_url = stream_url
        self._done_url = done_url
        self._headers = dict(headers)
        self._clock = clock
        self._figures = figures or Figures()

    async def run(
        self,
        handler: Handler,
        job: dict[str, Any],
        begun: Callable[[str], None] = lambda _job: None,
        trace: Trace = UNTRACED,
    ) -> Result:
        """Run `job` and post what it yields. Nothing of the platform's is raised.

        Args:
            handler: answers the job; a JobError ends it as failed. Where the outputs get too large
                for a result, AnswerTooLarge is thrown into it.
            job: as the platform gave it.
            begun: is told the job's id before the first output goes to the platform that is
                something of the answer.
            trace: is told of each post.

        Returns:
            The result, for `finish`.
        """
        name = str(job["id"])
        send = self._sender(name, self._stream_url, trace, stream=False)
        outputs: list[bytes] = []
        size = 0
        streaming, told = True, False
        try:
            async with aclosing(handler(job, outputs)) as given:
                async for output in given:
                    if not told and not isinstance(output, Comment):
                        told = True
                        begun(name)
                    piece = encoded(output)
                    size += len(piece) + 2
                    if size > ANSWER_MOST:
                        # Who reads the stream is told by a last output, where the handler has one.
                        piece = encoded(await given.athrow(_too_large()))
                    outputs.append(piece)
                    # After a gap nothing more is streamed; the result has it all.
                    streaming = streaming and await send(b'{"output": %b}' % piece, _PIECE_WITHIN)
        except JobError as reason:
            return failed(reason)
        return b'{"output": [%b]}' % b", ".join(outputs)

    async def finish(self, job: str, result: Result, trace: Trace = UNTRACED) -> None:
        """Tell the platform how a job ended; a result that it finds too large becomes an error."""
        send = self._sender(job, self._done_url, trace, stream=True)
        if await send(result, _RESULT_WITHIN) or send.status not in _TOO_LARGE:
            return
        error = AnswerTooLarge(
            f"the platform refused the result with status {send.status}; it has"
            f" {len(result) / 1e6:.1f} MB, and the platform's limit is 20 MB"
        )
        await send(failed(error), _RESULT_WITHIN)

    def _sender(self, job: str, template: str, trace: Trace, *, stream: bool) -> _Sender:
        name = quote(job, safe="-._~:@!$&'()*+,;=")
        url = f"{template.replace('$ID', name)}&isStream={'true' if stream else 'false'}"
        headers = {
            **self._headers,
            "X-Request-ID": name,
            "charset": "utf-8",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        origin, head = request("POST", url, headers)
        return _Sender(self._posts, origin, head, job, trace, self._clock, self._figures)


def encoded(output: Any) -> bytes:
    """JSON in UTF-8, as the engine wrote it or by `finite`."""
    return output if isinstance(output, RawJson) else finite.encoded(output)


def failed(reason: JobError) -> Result:
    """The result of a failed job; anything but text the platform would show as Python's repr."""
    return encoded({"error": reason.as_json()})


def _too_large() -> AnswerTooLarge:
    return AnswerTooLarge(
        f"the answer has more than {ANSWER_MOST / 1e6:.1f} MB, and the platform's limit is 20 MB;"
        " ask for less"
    )


class _Sender:
    """Posts what belongs to one job. `status` is that of the last post that was given up."""

    def __init__(
        self,
        posts: Posts,
        origin: Origin,
        head: bytes,
        job: str,
        trace: Trace,
        clock: Callable[[], float],
        figures: Figures,
    ) -> None:
        self.status: int | None = None
        self._posts = posts
        self._origin = origin
        self._head = head
        self._job = job
        self._trace = trace
        self._clock = clock
        self._figures = figures

    async def __call__(self, body: bytes, within: float) -> bool:
        """Post `body`, retrying for `within` seconds where that can help; whether it arrived."""
        try:
            await self._post(body)
        except (_Refused, OSError) as reason:
            arrived = await self._again(body, reason, within)
            self._figures.posts[RETRIED if arrived else LOST] += 1
            return arrived
        self._figures.posts[SENT] += 1
        return True

    async def _again(self, body: bytes, first: Exception, within: float) -> bool:
        self._trace.refused(_why(first))
        of_job = {"job": self._job}
        log.warning(
            "job %s: the platform did not take an output (%s)", self._job, _why(first), extra=of_job
        )
        try:
            if isinstance(first, _Refused) and first.for_good:
                raise first
            async for attempt in self._retrying(within):
                with attempt:
                    await self._post(body)
        except (_Refused, OSError) as reason:  # TimeoutError is an OSError
            self.status = reason.status if isinstance(reason, _Refused) else None
            log.error(  # noqa: TRY400 - one line for a person
                "job %s: an output is lost (%s)", self._job, _why(reason), extra={"job": self._job}
            )
            self._trace.lost(_why(reason))
            return False
        return True

    async def _post(self, body: bytes) -> None:
        began = self._clock()
        status = await self._posts.post(self._origin, self._head, body)
        self._figures.post.observe(self._clock() - began)
        if status not in _SOUND:
            raise _Refused(status)
        self._trace.posted(len(body))

    def _retrying(self, within: float) -> tenacity.AsyncRetrying:
        end = self._clock() + within
        return tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(
                lambda fault: (
                    not fault.for_good
                    if isinstance(fault, _Refused)
                    else isinstance(fault, OSError)
                )
            ),
            wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=5.0, jitter=0.2),
            stop=lambda _state: self._clock() >= end,
            reraise=True,
        )


def _why(reason: Exception) -> str:
    return str(reason) or type(reason).__name__
