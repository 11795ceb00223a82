"""The engine over HTTP: one session for the life of the process.

httpx carries requests and answers, over aiohttp's parser (`httpx-aiohttp`). Streams are read from
the same aiohttp session directly: between two batches the socket is not read at all, so that many
tokens cost one wake-up, and httpx has no way to say that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import aiohttp
import httpx
import tenacity
from httpx_aiohttp import AiohttpTransport

from proxy.errors import (
    AnswerTooLarge,
    ConnectionLost,
    EngineRefused,
    EngineRestarted,
    EngineSilent,
    EngineUnavailable,
    JobError,
    StreamBroken,
)
from proxy.request.forms import Request
from proxy.settings import API_KEY, Settings
from proxy.supervision import Supervision
from supervisor.settings import table

_CONNECT_TIMEOUT = 5.0  # seconds; the engine is on this machine
_HEALTH_TIMEOUT = 3.0  # seconds
_OK = 200
_SERVER_ERROR = 500
_KEEP_ALIVE = 4.0  # seconds; vLLM closes an idle connection after 5, and a request could meet that
_READ_MOST = 32 * 1024  # bytes in one read of a socket; a larger buffer costs more than a read

#: Bytes: the platform's limit for a result is 20 MB, and its envelope needs some of them.
ANSWER_MOST = 19_900_000


class Stream:
    """The body of one streaming answer."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    @property
    def ended(self) -> bool:
        """Whether everything has been read."""
        return self._response.content.at_eof()

    def ready(self) -> bytes:
        """What is there without waiting for it; perhaps nothing.

        Raises:
            StreamBroken: the connection ended before the answer did.
        """
        transport = self._transport()
        if transport is not None:
            self._take_from_kernel(transport)
        with _named_errors():
            return self._response.content.read_nowait()

    async def read(self) -> bytes:
        """What comes next, at least one byte; nothing only at the end.

        Raises:
            StreamBroken: the connection ended before the answer did.
            EngineSilent: nothing came for too long.
        """
        if (transport := self._transport()) is not None:
            transport.resume_reading()
        with _named_errors():
            data = await self._response.content.readany()
        if not self.ended and (transport := self._transport()) is not None:
            # The transport, not aiohttp's protocol: that would stop its parser too, in the middle
            # of what it has, and the rest would come out only with the next bytes of the socket.
            transport.pause_reading()
        return data

    def _take_from_kernel(self, transport: asyncio.ReadTransport) -> None:
        """Hand aiohttp's parser what the paused socket has gathered, in one piece.

        To resume, wait for a turn of the event loop and pause again costs four times as much, and
        with hundreds of streams that is a third of this process. The end of the connection is left
        to the transport, which knows what to do.
        """
        protocol = transport.get_protocol()
        if not isinstance(protocol, asyncio.Protocol) or transport.get_extra_info("sslcontext"):
            transport.resume_reading()
            return
        size = _READ_MOST
        while size == _READ_MOST:  # a full read: there may be more
            try:
                data = os.read(transport.get_extra_info("socket").fileno(), _READ_MOST)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if size := len(data):
                protocol.data_received(data)
            if self.ended or not data:
                # Complete, and perhaps in the hands of the next request already; or at its end.
                transport.resume_reading()
                return

    def _transport(self) -> asyncio.ReadTransport | None:
        """None once the answer is complete and its connection back in the pool, or closed."""
        connection = self._response.connection
        transport = None if connection is None else connection.transport
        return None if transport is None or transport.is_closing() else transport

    def close(self) -> None:
        """Close the connection; the engine then aborts the request."""
        self._response.close()


class Engine:
    """Sends requests to the engine. Made inside the event loop in which it is used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._headers = {"Content-Type": "application/json"}
        if key := settings[API_KEY]:
            self._headers["Authorization"] = f"Bearer {key}"
        pooled = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE)
        self._session = self._new_session(pooled)
        # Never an old connection: where one was lost, all that were idle beside it may be.
        self._fresh_session = self._new_session(aiohttp.TCPConnector(limit=0, force_close=True))
        self._http = self._new_client(self._session)
        self._fresh_http = self._new_client(self._fresh_session)
        self._supervision = Supervision(settings.control_url)
        self._model: str | None = None
        self._version: str | None = None

    def _new_session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(
            total=None,
            sock_connect=_CONNECT_TIMEOUT,
            sock_read=self._settings[table.REQUEST_IDLE_TIMEOUT],
        )
        return aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, trust_env=False
        )

    def _new_client(self, session: aiohttp.ClientSession) -> httpx.AsyncClient:
        silence = self._settings[table.REQUEST_IDLE_TIMEOUT]
        return httpx.AsyncClient(
            base_url=self._settings.engine_url,
            transport=AiohttpTransport(client=session),
            timeout=httpx.Timeout(silence, connect=_CONNECT_TIMEOUT),
            headers=self._headers,
            trust_env=False,
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        for client in (self._http, self._fresh_http):
            await client.aclose()
        for session in (self._session, self._fresh_session):
            await session.close()
        await self._supervision.close()

    # --- an engine that is away ---

    async def is_lost(self, fault: JobError) -> bool:
        """Whether `fault` means that the engine, or the connection to it, was lost.

        An error that a healthy engine answers with is its answer.
        """
        if isinstance(fault, StreamBroken):
            return True
        says_so = isinstance(fault, EngineRefused) and fault.status >= _SERVER_ERROR
        return (says_so or isinstance(fault, EngineSilent)) and not await self._is_healthy()

    async def until_ready(self) -> None:
        """Wait for the engine, ENGINE_WAIT_TIMEOUT at most.

        Raises:
            EngineUnavailable: it did not come, or will not; with the cause.
        """
        async for attempt in self._waiting():
            with attempt:
                if not await self._is_healthy():
                    raise EngineUnavailable("the engine is not ready")

    async def why_broken(self, fault: JobError, tokens: int | None) -> JobError:
        """What to say of an answer that broke off: that the engine restarted, if it did."""
        if not await self.is_lost(fault) or await self._is_healthy():
            return fault
        found = await self._supervision.after_a_loss()
        came = f" after {tokens} tokens of it" if tokens else ""
        words = f": {found.words}" if found is not None else ""
        error = EngineRestarted(
            f"the engine ended in the middle of this answer{came}, and is restarted; send the job"
            f" again{words}"
        )
        error.told = fault.told
        return error

    async def until_given_up(self) -> str:
        """Wait until the supervisor gives the engine up; why."""
        return await self._supervision.until_failed()

    async def _is_healthy(self) -> bool:
        try:
            answer = await self._fresh_http.get("/health", timeout=_HEALTH_TIMEOUT)
        except httpx.HTTPError:
            return False
        return answer.status_code == _OK

    def _waiting(self) -> tenacity.AsyncRetrying:
        """Tries again while there is no engine, unless none will come."""
        return tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(EngineUnavailable),
            wait=tenacity.wait_exponential_jitter(multiplier=0.05, max=0.5, jitter=0.05),
            stop=tenacity.stop_after_delay(self._settings[table.ENGINE_WAIT_TIMEOUT]),
            before_sleep=self._see_that_it_comes,
            retry_error_callback=self._waited_too_long,
        )

    async def _see_that_it_comes(self, _state: tenacity.RetryCallState) -> None:
        found = await self._supervision.standing()
        if found is not None and found.over:
            raise EngineUnavailable(found.words)

    async def _waited_too_long(self, _state: tenacity.RetryCallState) -> None:
        found = await self._supervision.standing()
        why = "" if found is None else f"; {found.words}"
        limit = self._settings[table.ENGINE_WAIT_TIMEOUT]
        raise EngineUnavailable(f"no engine was ready within {limit:.0f} s{why}")

    # --- requests ---

    async def answer(self, request: Request, *, again: bool = False) -> Any:
        """The JSON of an answer that comes in one piece; its text where it is no JSON.

        Args:
            request: what is asked.
            again: a second try, which takes a new connection.

        Raises:
            EngineRefused: the engine answered with an error.
            EngineUnavailable, EngineSilent, StreamBroken: it did not answer.
            AnswerTooLarge: the platform would refuse the answer.
        """
        body = await self._body(request)
        sent = body if request.method == "POST" else None
        async for attempt in self._waiting():
            client = self._fresh_http if again else self._http
            with attempt, _named_errors():
                response = await client.request(request.method, request.route, json=sent)
        if response.status_code != _OK:
            raise EngineRefused(response.status_code, response.content)
        if (size := len(response.content)) > ANSWER_MOST:
            raise AnswerTooLarge(
                f"the answer has {size / 1e6:.1f} MB and the platform carries"
                f" {ANSWER_MOST / 1e6:.0f} MB; ask for less, or for a stream"
            )
        try:
            return response.json()
        except ValueError:
            return response.text

    @contextlib.asynccontextmanager
    async def stream(self, request: Request, *, again: bool = False) -> AsyncIterator[Stream]:
        """The body of a streaming answer; its connection is closed at the end, whatever the end is.

        Args:
            request: what is asked.
            again: a second try, which takes a new connection.

        Raises:
            EngineRefused: the engine answered with an error.
            EngineUnavailable, EngineSilent, StreamBroken: it did not answer.
        """
        body = await self._body(request)
        url = self._settings.engine_url + request.route
        async for attempt in self._waiting():
            session = self._fresh_session if again else self._session
            with attempt, _named_errors():
                response = await session.post(
                    url, json=body, headers=self._headers, allow_redirects=False
                )
        try:
            if response.status != _OK:
                with _named_errors():
                    told = await response.read()
                raise EngineRefused(response.status, told)
            yield Stream(response)
        finally:
            if not response.content.at_eof():
                response.close()  # an answer that goes on is aborted, not read to its end
            response.release()

    async def _body(self, request: Request) -> Mapping[str, Any]:
        """The body, with the served model where the caller named none."""
        if request.method == "POST" and not request.body.get("model"):
            return {**request.body, "model": await self._served_model()}
        return request.body

    async def version(self) -> str | None:
        """The version of vLLM; None where this engine does not say.

        Raises:
            EngineUnavailable, EngineSilent, StreamBroken: it did not answer.
        """
        if self._version is None:
            with contextlib.suppress(EngineRefused, LookupError, TypeError):
                self._version = str((await self.answer(Request("GET", "/version", {})))["version"])
        return self._version

    async def _served_model(self) -> str:
        if self._model is None:
            models = await self.answer(Request("GET", "/v1/models", {}))
            self._model = str(models["data"][0]["id"])
        return self._model


@contextlib.contextmanager
def _named_errors() -> Iterator[None]:
    """Both clients' errors as ours.

    httpx-aiohttp calls every lost connection a ConnectTimeout; what it was is in the cause.
    """
    try:
        yield
    except (httpx.HTTPError, aiohttp.ClientError, ConnectionError) as reason:
        raise _named(reason.__cause__ or reason) from reason


def _named(reason: BaseException) -> JobError:
    if isinstance(reason, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return EngineUnavailable("the engine cannot be reached")
    if isinstance(reason, aiohttp.ServerTimeoutError):
        return EngineSilent("the engine sent nothing for REQUEST_IDLE_TIMEOUT")
    if isinstance(reason, aiohttp.ServerDisconnectedError):
        return ConnectionLost("the engine closed the connection before its answer began")
    return StreamBroken("the engine's answer ended before its end")
