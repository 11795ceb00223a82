"""Hands a job's outputs to the platform: each piece of a stream, then the result.

This replaces the SDK's own way (`rp_job.handle_job`, `rp_http`), which costs a quarter more for
each piece and loses a result for good when its connection breaks or the platform answers 429. Here
a failure becomes the platform's form of it, `{"error": TEXT}`.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import aiohttp
import tenacity
from yarl import URL

from proxy.errors import AnswerTooLarge, JobError

log = logging.getLogger("proxy")

#: Yields a job's outputs; raises JobError where the job fails.
Handler = Callable[[dict[str, Any]], AsyncGenerator[Any, None]]

#: How a job ended, as the platform takes it: `{"output": [...]}` or `{"error": TEXT}`.
Result = Mapping[str, Any]

_PIECE_WITHIN = 60.0  # seconds of trying: somebody waits for the stream
_RESULT_WITHIN = 300.0  # seconds: the result is all that is left of the job
_SILENCE = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=30.0)
_LARGE = 1_000_000  # bytes
_TOO_MANY = 429
_TOO_LARGE = (400, 413)

_encode = json.JSONEncoder(ensure_ascii=False).encode


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
    """Posts outputs and results. The URLs hold `$ID` for the job, as the platform gives them."""

    def __init__(self, stream_url: str, done_url: str) -> None:
        self._stream_url = stream_url
        self._done_url = done_url

    async def run(
        self,
        session: aiohttp.ClientSession,
        handler: Handler,
        job: dict[str, Any],
        begun: Callable[[str], None] = lambda _job: None,
    ) -> Result:
        """Run `job` and post what it yields. Nothing of the platform's is raised.

        Args:
            session: for the posts.
            handler: answers the job; a JobError ends it as failed.
            job: as the platform gave it.
            begun: is told the job's id before the first output goes to the platform.

        Returns:
            The result, for `finish`.
        """
        name = str(job["id"])
        send = _Sender(session, name)
        pieces = send.url(self._stream_url, stream=False)
        outputs: list[Any] = []
        streaming = True
        try:
            async with aclosing(handler(job)) as given:
                async for output in given:
                    if not outputs:
                        begun(name)
                    outputs.append(output)
                    # After a gap nothing more is streamed; the result has it all.
                    streaming = streaming and await send(pieces, {"output": output}, _PIECE_WITHIN)
        except JobError as reason:
            return failed(reason)
        return {"output": outputs}

    async def finish(self, session: aiohttp.ClientSession, job: str, result: Result) -> None:
        """Tell the platform how a job ended; a result that it finds too large becomes an error."""
        send = _Sender(session, job)
        done = send.url(self._done_url, stream=True)
        if await send(done, result, _RESULT_WITHIN) or send.status not in _TOO_LARGE:
            return
        size = len(_encoded(result)) / 1e6
        error = AnswerTooLarge(
            f"the platform refused the result with status {send.status}; it has {size:.1f} MB, and"
            " the platform's limit is 20 MB"
        )
        await send(done, failed(error), _RESULT_WITHIN)


def failed(reason: JobError) -> Result:
    """The result of a failed job; anything but text the platform would show as Python's repr."""
    return {"error": reason.as_json()}


def _encoded(body: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8. A lone surrogate, which UTF-8 has not, is written as JSON's escape for it."""
    return _encode(body).encode(errors="backslashreplace")


class _Sender:
    """Posts what belongs to one job. `status` is that of the last post that was given up."""

    def __init__(self, session: aiohttp.ClientSession, job: str) -> None:
        self.status: int | None = None
        self._session = session
        self._job = job
        self._headers = {
            "X-Request-ID": job,
            "charset": "utf-8",
            "Content-Type": "application/x-www-form-urlencoded",
        }

    def url(self, template: str, *, stream: bool) -> URL:
        """The address for this job. Made once: to parse a URL costs as much as a small POST."""
        flag = "true" if stream else "false"
        return URL(f"{template.replace('$ID', self._job)}&isStream={flag}", encoded=True)

    async def __call__(self, url: URL, body: Mapping[str, Any], within: float) -> bool:
        """Post `body`, retrying for `within` seconds where that can help; whether it arrived."""
        data = _encoded(body)
        try:
            await self._post(url, data)
        except (_Refused, aiohttp.ClientError, OSError) as reason:  # TimeoutError is an OSError
            return await self._again(url, data, reason, within)
        return True

    async def _again(self, url: URL, data: bytes, first: Exception, within: float) -> bool:
        log.warning("job %s: the platform did not take an output (%s)", self._job, _why(first))
        try:
            if isinstance(first, _Refused) and first.for_good:
                raise first
            async for attempt in _retrying(within):
                with attempt:
                    await self._post(url, data)
        except (_Refused, aiohttp.ClientError, OSError) as reason:
            self.status = reason.status if isinstance(reason, _Refused) else None
            log.error(  # noqa: TRY400 - one line for a person
                "job %s: an output is lost (%s)", self._job, _why(reason)
            )
            return False
        return True

    async def _post(self, url: URL, data: bytes) -> None:
        # aiohttp sends a file in pieces, and lets other streams have their turn between them.
        body = data if len(data) < _LARGE else io.BytesIO(data)
        async with self._session.post(
            url, data=body, headers=self._headers, timeout=_SILENCE
        ) as answer:
            await answer.read()
            if answer.status >= 400:
                raise _Refused(answer.status)


def _retrying(within: float) -> tenacity.AsyncRetrying:
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(
            lambda fault: (
                not fault.for_good
                if isinstance(fault, _Refused)
                else isinstance(fault, (aiohttp.ClientError, OSError))
            )
        ),
        wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=5.0, jitter=0.2),
        stop=tenacity.stop_after_delay(within),
        reraise=True,
    )


def _why(reason: Exception) -> str:
    return str(reason) or type(reason).__name__
