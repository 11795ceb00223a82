"""The engine over HTTP: sends requests, and waits for an engine that is away."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from proxy import clients
from proxy.engine.health import Health
from proxy.engine.openapi import OpenAPI
from proxy.engine.supervision import Supervision
from proxy.errors import EngineRefused
from proxy.request import audio, sendable
from proxy.request.forms import Request
from proxy.request.schema import Schema
from proxy.settings import API_KEY, Settings
from proxy.stream.socket import Stream
from proxy.stream.whole import Answer, parsed, read, read_error

_OK = 200


class Engine:
    """Sends requests to the engine. All use is inside one event loop.

    Attributes:
        health: whether it is well.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        headers = {"Content-Type": "application/json"}
        if settings[API_KEY]:
            headers["Authorization"] = f"Bearer {settings[API_KEY]}"
        self._pooled = clients.pooled(settings, headers)
        self._fresh = clients.fresh(settings, headers)
        self._supervision = Supervision(settings.control_url)
        self._openapi = OpenAPI(self._fresh, settings.engine_url)
        self.health = Health(settings, self._fresh, self._supervision)
        self._model: str | None = None
        self._version: str | None = None

    async def close(self) -> None:
        """Close every connection."""
        await self._pooled.close()
        await self._fresh.close()
        await self._supervision.close()

    async def whole(self, request: Request, *, again: bool = False) -> Answer:
        """An answer that comes in one piece, as it came.

        Args:
            request: what to ask.
            again: a further try, which takes a new connection.

        Raises:
            EngineRefused: the engine answered with an error.
            EngineUnavailable, EngineSilent, StreamBroken: it did not answer.
            AnswerTooLarge: the platform would refuse the answer. The rest of it is not read.
        """
        async with self._asked(request, again) as response:
            return await read(response)

    async def answer(self, request: Request, *, again: bool = False) -> Any:
        """The JSON of an answer that comes in one piece; its text where it is not JSON.

        For questions of our own: a large answer to a job holds up every other one.

        Args:
            request: what to ask.
            again: a further try, which takes a new connection.

        Raises:
            JobError: as `whole`.
        """
        return parsed(await self.whole(request, again=again))

    @contextlib.asynccontextmanager
    async def stream(self, request: Request, *, again: bool = False) -> AsyncIterator[Stream]:
        """The body of a streaming answer; its connection is closed however the block ends.

        Args:
            request: what to ask.
            again: a further try, which takes a new connection.

        Raises:
            EngineRefused: the engine answered with an error.
            EngineUnavailable, EngineSilent, StreamBroken: it did not answer.
        """
        async with self._asked(request, again) as response:
            yield Stream(response)

    async def schema(self) -> Schema | None:
        """What the engine says of its routes; None where it serves no schema.

        Raises:
            EngineUnavailable: it was not reached.
        """
        return await self.health.once_there(self._openapi.schema)

    async def version(self) -> str | None:
        """The version of vLLM; None where this engine does not say.

        Raises:
            EngineUnavailable, EngineSilent, StreamBroken: it did not answer.
        """
        if self._version is None:
            with contextlib.suppress(EngineRefused, LookupError, TypeError):
                self._version = str((await self.answer(Request("GET", "/version", {})))["version"])
        return self._version

    @contextlib.asynccontextmanager
    async def _asked(self, request: Request, again: bool) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer with its status 200 and its body unread."""
        headers, body = await self._body(request)
        url = self._settings.engine_url + request.route
        session = (self._fresh if again else self._pooled).session
        response = await self.health.once_there(
            lambda: session.request(
                request.method, url, data=body, headers=headers, allow_redirects=False
            )
        )
        try:
            if response.status != _OK:
                told = await read_error(response)
                raise EngineRefused(response.status, told, request.asked)
            yield response
        finally:
            if not response.content.at_eof():
                response.close()  # an answer that goes on is aborted, not read to its end
            response.release()

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
