"""The engine over HTTP: sends requests, and waits for an engine that is away."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy import clients
from proxy.engine.health import Health
from proxy.engine.lives import Sent
from proxy.engine.openapi import OpenAPI
from proxy.engine.supervision import Supervision
from proxy.errors import EngineRefused, EngineUnavailable
from proxy.request import audio, sendable
from proxy.request.forms import Request
from proxy.request.schema import Schema
from proxy.settings import Settings
from proxy.stream.raw import RawJson
from proxy.stream.whole import Answer, parsed, read, read_error
from proxy.traces.trace import REQUEST_ID
from proxy.wire.answer import Answer as Coming
from supervisor.settings.routes import STATUS

_OK = 200
_NEVER = Sent(0, 0.0)
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a request.

    Attributes:
        number: counts how often the job was sent; a further one takes a new connection.
        may_go: is asked each time that the request is about to be sent, which is long after the
            try began where the engine was away.
        headers: by which the engine knows the job.
        losses: engines that ended with the job in hand before this try.
        sent: tells when it was sent last.
        unsent: is told each time that no engine was there to take it.
    """

    number: int = 1
    may_go: Callable[[], bool] = lambda: True
    headers: Mapping[str, str] = field(default_factory=dict)
    losses: int = 0
    sent: Callable[[], Sent] = lambda: _NEVER
    unsent: Callable[[], None] = lambda: None


_FIRST = Attempt()


class HeldBack(Exception):
    """The request was not sent: its attempt may not go now."""


class Engine:
    """Sends requests to the engine. All use is inside one event loop.

    Args:
        settings: the proxy's.
        clock: gives seconds, and leaves out those for which the process stood still.

    Attributes:
        health: whether it is well.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        key = settings.key
        self._client = clients.client(settings, {"Authorization": f"Bearer {key}"} if key else {})
        self._supervision = Supervision(settings.control_url, settings.control_headers)
        self._openapi = OpenAPI(self._client)
        self.health = Health(settings, self._client, self._supervision, clock)
        self._model: str | None = None
        self._version: str | None = None

    async def close(self) -> None:
        """Close every connection."""
        self._client.close()
        await self._supervision.close()

    def thawed(self) -> None:
        """The process stood still; see `proxy.awake`."""
        self._client.thawed()

    async def whole(self, request: Request, attempt: Attempt = _FIRST) -> Answer:
        """An answer that comes in one piece, as it came.

        Args:
            request: what to ask.
            attempt: which try it is.

        Raises:
            EngineRefused: the engine answered with an error.
            EngineUnavailable, EngineSilent, StreamBroken: it did not answer.
            HeldBack: the attempt may not go.
            AnswerTooLarge: the platform would refuse the answer. The rest of it is not read.
        """
        async with self._asked(request, attempt) as answer:
            return await read(answer)

    async def answer(self, request: Request) -> Any:
        """The JSON of an answer that comes in one piece; its text where it is not JSON.

        For questions of our own: a large answer to a job holds up every other one.

        Raises:
            JobError: as `whole`.
        """
        return parsed(await self.whole(request))

    @contextlib.asynccontextmanager
    async def stream(self, request: Request, attempt: Attempt = _FIRST) -> AsyncIterator[Coming]:
        """The body of a streaming answer; its connection is closed however the block ends.

        Args:
            request: what to ask.
            attempt: which try it is.

        Raises:
            EngineRefused: the engine answered with an error.
            EngineUnavailable, EngineSilent, StreamBroken: it did not answer.
            HeldBack: the attempt may not go.
        """
        async with self._asked(request, attempt) as answer:
            yield answer

    @property
    def schema_so_far(self) -> Schema | None:
        """What the engine has said of its routes; nobody is asked."""
        return self._openapi.so_far

    async def schema(self, *, surely: bool = False) -> Schema | None:
        """What the engine says of its routes; None where it serves no schema.

        Args:
            surely: raise where it only did not say it this once.

        Raises:
            EngineUnavailable: it was not reached.
            SchemaLate, StreamBroken: with `surely`, it did not say it.
        """
        return await self.health.once_there(lambda: self._openapi.schema(surely=surely))

    async def of_worker(self, route: str) -> str | RawJson:
        """What the worker answers itself at `/worker/status` or `/worker/metrics`.

        Raises:
            EngineUnavailable: nobody is there to tell.
        """
        body = await self._supervision.page(route.removeprefix("/worker"))
        return RawJson(body) if route == STATUS else body.decode()

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
    async def _asked(self, request: Request, attempt: Attempt) -> AsyncIterator[Coming]:
        """The answer with its status 200 and its body unread."""
        kind, body = await self._body(request)
        fresh, headers = attempt.number > 1, _headers(request, attempt)

        async def sent() -> Coming:
            if not attempt.may_go():
                raise HeldBack
            try:
                return await self._client.ask(
                    request.method, request.route, body, kind=kind, headers=headers, fresh=fresh
                )
            except EngineUnavailable:
                attempt.unsent()
                raise

        answer = await self.health.once_there(sent)
        try:
            if answer.status != _OK:
                raise EngineRefused(answer.status or 0, await read_error(answer), request.asked)
            yield answer
        finally:
            self._client.end(answer)  # one that goes on is aborted, not read to its end

    async def _body(self, request: Request) -> tuple[str, bytes]:
        """Content type and body: JSON or a form, the served model in it unless one was named."""
        if request.method != "POST":
            return "", b""
        if request.route in audio.ROUTES:
            return await self._form(request.body)
        content = request.content or sendable.encoded(request.body)
        if "model" in request.body:
            return _JSON, content
        return _JSON, sendable.with_model(content, await self._served_model())

    async def _form(self, body: Mapping[str, Any]) -> tuple[str, bytes]:
        body = {**body, "model": body.get("model") or await self._served_model()}
        boundary = secrets.token_hex(16)
        parts = []
        for part in audio.form(body, boundary):
            parts.append(part)
            await asyncio.sleep(0)  # a recording is large, and others have their turn
        return audio.content_type(boundary), b"".join(parts)

    async def _served_model(self) -> str:
        if self._model is None:
            models = await self.answer(Request("GET", "/v1/models", {}))
            self._model = str(models["data"][0]["id"])
        return self._model


def _headers(request: Request, attempt: Attempt) -> Mapping[str, str]:
    """The attempt's; an id that the caller gives the request itself is left to them.

    The engine would take the header's instead.
    """
    if not request.body.get("request_id"):
        return attempt.headers
    return {name: text for name, text in attempt.headers.items() if name != REQUEST_ID}
