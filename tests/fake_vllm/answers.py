"""Answers to requests for tokens: in one piece, and as a stream of events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

from aiohttp import web

from .generation import Fake, Generation, Refusal, error_body
from .wire import Wire, json_text
from .words import Words

TEAR_S = 0.005  # between two TCP writes that are to arrive apart
LOOK_S = 0.05  # between two looks at what it waits for
_CORE_DIED = "EngineCore encountered an issue."


@dataclass
class Figures:
    """What `/metrics` shows."""

    running: int = 0
    prompt_tokens: int = 0
    tokens: int = 0


async def until_begun(fake: Fake, words: Words) -> None:
    """Wait until a request may give its first token; raises Refusal where the core dies."""
    await nap(fake.first_token_s, words)
    while not fake.may_begin:
        await nap(LOOK_S, words)


async def nap(seconds: float, words: Words) -> None:
    """Sleep; raises Refusal where the core is dead."""
    until = time.monotonic() + seconds
    while not words.core_died and (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(left, 0.1))
    if words.core_died:
        raise Refusal(words.core_died, _CORE_DIED)
    await asyncio.sleep(0)


async def in_one_piece(
    request: web.Request, generation: Generation, words: Words, figures: Figures
) -> web.StreamResponse:
    """Make the tokens, then answer; or fail on the way as the request says."""
    fake = generation.fake
    await until_begun(fake, words)
    for number in range(len(generation.texts) + 1):
        if number == fake.hang_after:
            await nap(float("inf"), words)
        if number == fake.cut_after:
            cut(request)
            return web.Response()
        if number == fake.error_after:
            raise Refusal(500, _CORE_DIED)
        if number == len(generation.texts):
            break
        await nap(1 / fake.rate if fake.rate else 0, words)
        figures.tokens += generation.choices
    generation.complete = True
    return web.json_response(generation.whole(), dumps=json_text)


def cut(request: web.Request) -> None:
    """Close the connection, whatever is missing of the answer."""
    if request.transport is not None:
        request.transport.close()


class Stream:
    """One streamed answer. `words` and `figures` are the engine's and change meanwhile."""

    def __init__(
        self, request: web.Request, generation: Generation, words: Words, figures: Figures
    ) -> None:
        self._request = request
        self._generation, self._fake = generation, generation.fake
        self._words, self._figures = words, figures
        name = "chat.completion.chunk" if generation.chat else "text_completion"
        self._wire = Wire(generation.fake, name)
        self._response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8"}
        )

    async def answer(self) -> web.StreamResponse:
        """Send it, up to its end or to where it is cut."""
        response = self._response
        await response.prepare(self._request)
        try:
            whole = await self._events()
        except Refusal as died:
            await self._write(self._wire.event(died.body))
            whole = True
        if whole and not self._fake.no_done:
            await self._write(self._wire.event("[DONE]"))
        if rest := self._wire.rest():
            await response.write(rest)
        if whole:
            await response.write_eof()
        else:
            cut(self._request)
        return response

    async def _events(self) -> bool:
        """Write the events up to `[DONE]`. Returns False if the socket is to be cut."""
        generation, fake = self._generation, self._fake
        await self._pause(fake.first_token_s)
        while not fake.may_begin:
            await self._pause(LOOK_S)
        for index in range(generation.choices) if generation.chat else ():
            await self._event(generation.role(index))
            for choice in generation.beside(index):
                await self._event(choice)
        began, done, count = time.monotonic(), 0, max(1, len(generation.texts))
        for number in range(count + 1):
            if number == fake.cut_after:
                while not fake.may_cut:
                    await self._pause(LOOK_S)
                return False
            if number == fake.error_after:
                await self._write(self._wire.event(error_body(500, _CORE_DIED)))
                return True
            if number == fake.hang_after:
                await self._pause(float("inf"))
            if number == count:
                break
            if fake.rate:
                await self._pause(began + number / fake.rate - time.monotonic())
            while self._words.stall:
                await self._pause(LOOK_S)
            done += await self._tokens(number)
        if generation.stream_option("include_usage"):
            await self._write(self._wire.event(generation.chunk([], done)))
        generation.complete = True
        return True

    async def _tokens(self, number: int) -> int:
        """Write token `number` of each choice; how many tokens that were."""
        generation = self._generation
        one = int(bool(generation.texts))
        continuous = generation.stream_option("continuous_usage_stats")
        so_far = number + one if continuous else None  # of this choice, as vLLM counts it
        for index in range(generation.choices):
            self._figures.tokens += one
            await self._event(generation.token(index, number), so_far)
        return one * generation.choices

    async def _event(self, choice: dict[str, object], completion: int | None = None) -> None:
        await self._write(self._wire.event(self._generation.chunk([choice], completion)))

    async def _write(self, pieces: Iterator[bytes]) -> None:
        torn = self._fake.split_events or self._fake.half_character
        for piece in pieces:
            await self._response.write(piece)
            await asyncio.sleep(TEAR_S if torn else 0)

    async def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await nap(min(left, 0.1), self._words)
            if self._fake.keepalive and left > 0.1:
                await self._write(self._wire.ping())
