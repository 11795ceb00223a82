"""The engine over HTTP: sends requests, waits for an engine that is away, says why one was lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx

from proxy import clients
from proxy.clients import named_errors
from proxy.errors import (
    AnswerTooLarge,
    EngineRefused,
    EngineRestarted,
    EngineSilent,
    EngineUnavailable,
    JobError,
    StreamBroken,
)
from proxy.openapi import OpenAPI
from proxy.request import audio, sendable
from proxy.request.forms import Request
from proxy.request.schema import Schema
from proxy.settings import API_KEY, Settings
from proxy.stream import finite
from proxy.stream.socket import Stream
from proxy.supervision import Supervision
from supervisor.settings import table

T = TypeVar("T")

_HEALTH_TIMEOUT = 3.0  # seconds
_PAUSE_FIRST, _PAUSE_MOST = 0.05, 0.5  # seconds before an engine that is away is asked again
_OK = 200
_SERVER_ERROR = 500

#: Bytes: the platform's limit for a result is 20 MB, and its envelope needs some of them.
ANSWER_MOST = 19_900_000


class Engine:
    """Sends requests to the engine. All use is inside one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        headers = {"Content-Type": "application/json"}
        if settings[API_KEY]:
            headers["Authorization"] = f"Bearer {settings[API_KEY]}"
        self._pooled = clients.pooled(settings, headers)
        self._fresh = clients.fresh(settings, headers)
        self._supervision = Supervision(settings.control_url)
        self._openapi = OpenAPI(self._fresh)
        self._model: str | None = None
        self._version: str | None = None

    async def close(self) -> None:
        """Close every connection."""
        await self._pooled.close()
        await self._fresh.close()
        await self._supervision.close()

    # --- requests ---

    async def answer(self, request: Request, *, again: bool = False) -> Any:
        """The JSON of an answer that comes in one piece; its text where it is not JSON.

        Args:
            request: what to ask.
            again: a second try, which takes a new connection.

        Raises:
            EngineRefused: the engine answered with an error.
            EngineUnavailable, EngineSilent, StreamBroken: it did not answer.
            AnswerTooLarge: the platform would refuse the answer.
        """
        headers, body = await self._body(request)
        http = self._client(again).http
        response = await self._once_there(
            lambda: http.request(request.method, request.route, content=body, headers=headers)
        )
        if response.status_code != _OK:
            raise EngineRefused(response.status_code, response.content, request.asked)
        if (size := len(response.content)) > ANSWER_MOST:
            raise AnswerTooLarge(
                f"the answer has {size / 1e6:.1f} MB and the platform carries"
                f" {ANSWER_MOST / 1e6:.0f} MB; ask for less, or for a stream"
            )
        try:
            return finite.parsed(response.content)
        except ValueError:
            return response.text

    @contextlib.asynccontextmanager
    async def stream(self, request: Request, *, again: bool = False) -> AsyncIterator[Stream]:
        """The body of a streaming answer; its connection is closed however the block ends.

        Args:
            request: what to ask.
            again: a second try, which takes a new connection.

        Raises:
            EngineRefused: the engine answered with an error.
            EngineUnavailable, EngineSilent, StreamBroken: it did not answer.
        """
        headers, body = await self._body(request)
        url = self._settings.engine_url + request.route
        session = self._client(again).session
        response = await self._once_there(
            lambda: session.post(url, data=body, headers=headers, allow_redirects=False)
        )
        try:
            if response.status != _OK:
                with named_errors():
                    told = await response.read()
                raise EngineRefused(response.status, told, request.asked)
            yield Stream(response)
        finally:
            if not response.content.at_eof():
                response.close()  # an answer that goes on is aborted, not read to its end
            response.release()

    async def schema(self) -> Schema | None:
        """What the engine says of its routes; None where it serves no schema.

        Raises:
            EngineUnavailable: it was not reached.
        """
        return await self._once_there(self._openapi.schema)

    async def version(self) -> str | None:
        """The version of vLLM; None where this engine does not say.

        Raises:
            EngineUnavailable, EngineSilent, StreamBroken: it did not answer.
        """
        if self._version is None:
            with contextlib.suppress(EngineRefused, LookupError, TypeError):
                self._version = str((await self.answer(Request("GET", "/version", {})))["version"])
        return self._version

    def _client(self, again: bool) -> clients.Client:
        return self._fresh if again else self._pooled

    async def _body(self, request: Request) -> tuple[Mapping[str, str] | None, bytes | None]:
        """Headers and body: JSON, or a form, with the served model where the caller named none."""
        if request.method != "POST":
            return None, None
        if request.route in audio.ROUTES:
            return await self._form(request.body)
        content = request.content or sendable.encoded(request.body)
        if "model" in request.body:
            return None, content
        return None, sendable.with_model(content, await self._served_model())

    async def _form(self, body: Mapping[str, Any]) -> tuple[Mapping[str, str], bytes]:
        audio.check(body)  # before an engine is waited for
        body = {**body, "model": body.get("model") or await self._served_model()}
        boundary = secrets.token_hex(16)
        parts = []
        for part in audio.form(body, boundary):
            parts.append(part)
            await asyncio.sleep(0)  # a recording is large, and others have their turn
        return {"Content-Type": audio.content_type(boundary)}, b"".join(parts)

    async def _served_model(self) -> str:
        if self._model is None:
            models = await self.answer(Request("GET", "/v1/models", {}))
            self._model = str(models["data"][0]["id"])
        return self._model

    # --- an engine that is away ---

    async def is_lost(self, fault: JobError) -> bool:
        """Whether `fault` means that the engine, or the connection to it, was lost.

        An error from a healthy engine is its answer.
        """
        if isinstance(fault, StreamBroken):
            return True
        says_so = isinstance(fault, EngineRefused) and fault.status >= _SERVER_ERROR
        return (says_so or isinstance(fault, EngineSilent)) and not await self._is_healthy()

    async def until_ready(self) -> None:
        """Wait for the engine, at most ENGINE_WAIT_TIMEOUT.

        Raises:
            EngineUnavailable: it did not come, or will not; with the cause.
        """
        await self._once_there(self._see_that_it_is_healthy)

    async def why_broken(self, fault: JobError, tokens: int | None) -> JobError:
        """The error for an answer that broke off: EngineRestarted if the engine ended, or `fault`.

        Args:
            fault: how it broke off.
            tokens: how many had come; None where nobody knows.
        """
        if not await self.is_lost(fault) or await self._is_healthy():
            return fault
        standing = await self._supervision.after_a_loss()
        came = f", after {tokens} tokens" if tokens else ""
        why = f": {standing.words}" if standing is not None else ""
        return EngineRestarted(
            f"the engine ended in the middle of this answer{came}, and is being restarted; send"
            f" the job again{why}"
        )

    async def until_given_up(self) -> str:
        """Wait until the supervisor gives the engine up; returns why."""
        return await self._supervision.until_failed()

    async def _is_healthy(self) -> bool:
        try:
            answer = await self._fresh.http.get("/health", timeout=_HEALTH_TIMEOUT)
        except httpx.HTTPError:
            return False
        return answer.status_code == _OK

    async def _see_that_it_is_healthy(self) -> None:
        if not await self._is_healthy():
            raise EngineUnavailable("the engine is not ready")

    async def _once_there(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` brings; asked again while there is no engine, unless none will come.

        By hand: tenacity keeps each error in a circle with its frames, and so with the whole
        request, until a garbage collection.
        """
        limit = self._settings[table.ENGINE_WAIT_TIMEOUT]
        end = time.monotonic() + limit
        pause = _PAUSE_FIRST
        while True:
            with contextlib.suppress(EngineUnavailable), named_errors():
                return await ask()
            late = time.monotonic() >= end
            standing = await self._supervision.standing()
            if late:
                why = "" if standing is None else f"; {standing.words}"
                raise EngineUnavailable(f"no engine was ready within {limit:.0f} s{why}")
            if standing is not None and standing.over:
                raise EngineUnavailable(standing.words)
            jitter = _PAUSE_FIRST * random.random()  # noqa: S311
            await asyncio.sleep(min(_PAUSE_MOST, pause + jitter))
            pause = min(_PAUSE_MOST, 2 * pause)
