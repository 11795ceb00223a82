"""Asks the engine once what it takes: its /openapi.json, which `request.schema` reads."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from proxy.errors import AnswerTooLarge, EngineSilent, JobError, StreamBroken
from proxy.request import schema
from proxy.request.schema import Schema
from proxy.stream import whole
from proxy.wire.client import Client

log = logging.getLogger("proxy")

_PATH = "/openapi.json"
_PATIENCE = 10.0  # seconds; vLLM takes one or two to write it, and only once
_LARGEST = 8_000_000  # bytes; vLLM's has 0.3 MB
_PAUSE = 60.0  # seconds before an engine is asked again that did not answer
_OK = 200


class SchemaLate(EngineSilent):
    """The engine did not say in time what it takes; it may the next time."""


class OpenAPI:
    """One for an engine; one of another version never takes its place while a worker lives.

    Args:
        client: to ask with.
        patience: seconds that are waited for it.
        clock: gives seconds and never goes back.
    """

    def __init__(
        self,
        client: Client,
        patience: float = _PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._patience = patience
        self._asking = asyncio.Lock()
        self._clock = clock
        self._again = 0.0  # when it may be asked again
        self._asked = 0  # questions that have ended
        self._missed: JobError | None = None  # why the last one brought nothing
        self._known = False
        self._schema: Schema | None = None

    @property
    def so_far(self) -> Schema | None:
        """What the engine has said; None where nobody has asked, or nothing stands there."""
        return self._schema

    async def schema(self, *, surely: bool = False) -> Schema | None:
        """What the engine says; None where it says nothing that can be read.

        Args:
            surely: None is then no word for an engine that did not say it this once.

        Raises:
            EngineUnavailable: there is no engine at this moment.
            SchemaLate, StreamBroken: with `surely`, it did not say it.
        """
        asked = self._asked
        async with self._asking:  # however many jobs come at once
            due = surely or self._clock() >= self._again
            if not self._known and due and self._asked == asked:
                self._missed = await self._ask()
                self._asked += 1
        if surely and self._missed is not None:
            raise type(self._missed)(str(self._missed))
        return self._schema

    async def _ask(self) -> JobError | None:
        """Ask once; why nobody knows what it says, if that came of it."""
        try:
            document, why = await self._document()
        except StreamBroken as fault:
            return StreamBroken(str(fault))  # its end says nothing of the next one
        except (EngineSilent, TimeoutError):
            self._again = self._clock() + _PAUSE  # it may have more time then
            return SchemaLate(f"{_PATH} of the engine did not come within {self._patience:.0f} s")
        self._schema = None if document is None else schema.parsed(document)
        self._known = True
        if self._schema is None:
            log.info("names of parameters are not checked: %s %s", _PATH, why)
        return None

    async def _document(self) -> tuple[bytes | None, str]:
        """What stands there; or None, and why there is nothing to read."""
        async with asyncio.timeout(self._patience):
            answer = await self._client.ask("GET", _PATH, fresh=True)
            try:
                if answer.status != _OK:
                    return None, f"is answered with status {answer.status}"
                return (await whole.read(answer, _LARGEST)).body, "cannot be read"
            except AnswerTooLarge:
                return None, f"has more than {_LARGEST / 1e6:.0f} MB"
            finally:
                self._client.end(answer)
