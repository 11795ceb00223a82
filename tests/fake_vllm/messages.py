"""`/v1/messages`: a message of Anthropic's form, which says an error as vLLM does there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from .answers import cut, nap
from .generation import Fake, Refusal
from .wire import Wire
from .words import Words

_MOST = 16  # tokens, where the request does not say


async def answer(
    request: web.Request, asked: dict[str, Any], fake: Fake, words: Words, model: str
) -> web.StreamResponse:
    """The message in one piece, or its events; what `fake` knows here is in the package."""
    texts = fake.pieces(int(asked.get("max_tokens", _MOST)))
    head: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": model}
    head |= {"stop_sequence": None}
    if not asked.get("stream"):
        content = [{"type": "text", "text": "".join(texts)}]
        usage = {"input_tokens": 1, "output_tokens": len(texts)}
        whole = {**head, "content": content, "stop_reason": "max_tokens", "usage": usage}
        return web.json_response(whole)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    stream = _Stream(response, fake, words)
    try:
        await stream.give(head, texts)
    except Refusal as died:
        await stream.event("error", error=error(died)["error"])
    except ConnectionAbortedError:
        cut(request)
        return response
    with contextlib.suppress(ConnectionError):
        await response.write_eof()
    return response


def error(refusal: Refusal) -> dict[str, Any]:
    """The body of an error, which has the type of the other routes' errors."""
    told = refusal.body["error"]
    return {"type": "error", "error": {"type": told["type"], "message": told["message"]}}


class _Stream:
    def __init__(self, response: web.StreamResponse, fake: Fake, words: Words) -> None:
        self._response, self._fake, self._words = response, fake, words

    async def give(self, head: dict[str, Any], texts: list[str]) -> None:
        """Write all events.

        Raises:
            Refusal: as `error_after` says, or the core is dead.
            ConnectionAbortedError: the socket is to be cut.
        """
        fake = self._fake
        await nap(fake.first_token_s, self._words)
        usage = {"input_tokens": 1, "output_tokens": 0}
        begun = {**head, "content": [], "stop_reason": None, "usage": usage}
        await self.event("message_start", message=begun)
        block = {"type": "text", "text": ""}
        await self.event("content_block_start", index=0, content_block=block)
        for number in range(len(texts) + 1):
            if number == fake.cut_after:
                raise ConnectionAbortedError
            if number == fake.error_after:
                raise Refusal(500, "EngineCore encountered an issue.")
            if number == fake.hang_after:
                await nap(float("inf"), self._words)
            if number == len(texts):
                break
            await nap(1 / fake.rate if fake.rate else 0, self._words)
            delta = {"type": "text_delta", "text": texts[number]}
            await self.event("content_block_delta", index=0, delta=delta)
        await self.event("content_block_stop", index=0)
        ends = {"stop_reason": "max_tokens", "stop_sequence": None}
        used = {"input_tokens": 1, "output_tokens": len(texts)}
        await self.event("message_delta", delta=ends, usage=used)
        await self.event("message_stop")

    async def event(self, kind: str, **also: Any) -> None:
        """Write one event."""
        for piece in self._pieces(kind, also):
            await self._response.write(piece)
            await asyncio.sleep(0)

    def _pieces(self, kind: str, also: dict[str, Any]) -> Iterator[bytes]:
        wire = Wire(Fake(event_names=True), kind)
        yield from wire.event({"type": kind, **also})
        yield wire.rest()
