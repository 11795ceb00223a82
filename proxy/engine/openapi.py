"""Asks the engine once what it takes: its /openapi.json, which `request.schema` reads."""

from __future__ import annotations

import asyncio
import contextlib

from proxy.errors import AnswerTooLarge, EngineSilent, StreamBroken
from proxy.request import schema
from proxy.request.schema import Schema
from proxy.stream import whole
from proxy.wire.client import Client

_PATH = "/openapi.json"
_PATIENCE = 10.0  # seconds; vLLM takes one or two to write it, and only once
_LARGEST = 8_000_000  # bytes; vLLM's has 0.3 MB
_OK = 200


class OpenAPI:
    """One for an engine; one of another version never takes its place while a worker lives.

    Args:
        client: to ask with.
        patience: seconds that are waited for it.
    """

    def __init__(self, client: Client, patience: float = _PATIENCE) -> None:
        self._client = client
        self._patience = patience
        self._asking = asyncio.Lock()
        self._known = False
        self._schema: Schema | None = None

    async def schema(self) -> Schema | None:
        """What the engine says; None where it says nothing that can be read.

        Raises:
            EngineUnavailable: there is no engine at this moment.
        """
        async with self._asking:  # however many jobs come at once
            if not self._known:
                try:
                    document = await self._document()
                except StreamBroken:
                    return None  # its end says nothing of the next one
                self._schema = schema.parsed(document)
                self._known = True
        return self._schema

    async def _document(self) -> bytes:
        """What stands there; nothing where that is no document, or takes too long."""
        with contextlib.suppress(TimeoutError, EngineSilent):
            async with asyncio.timeout(self._patience):
                answer = await self._client.ask("GET", _PATH, fresh=True)
                try:
                    if answer.status == _OK:
                        return (await whole.read(answer, _LARGEST)).body
                except AnswerTooLarge:
                    pass
                finally:
                    self._client.end(answer)
        return b""
