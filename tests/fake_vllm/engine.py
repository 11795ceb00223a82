"""The HTTP side: routes, keys, figures."""

from __future__ import annotations

import asyncio
import contextlib
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from . import audio, log, media, messages
from .answers import Figures, Stream, in_one_piece, until_begun
from .generation import Fake, Generation, Refusal, error_body, rendered, words_of
from .openapi import document
from .wire import json_text
from .words import Words


class Engine:
    """The server's routes, and what it knows of the requests that it works on.

    Args:
        names: of the model; the first one is its own.
        words: how it misbehaves; `POST /fake` changes them.
        api_key: what `/v1` asks for; empty: nothing.
        version: of vLLM.
        done: the file that gets a line for each request that was answered to its end; or empty.
        docs: whether `/openapi.json` is served.
        chat_defaults: what every template is given; `/tokenize` leaves it out, as some versions do.
        end_after: ends the process that many seconds later.
    """

    def __init__(
        self,
        names: Sequence[str],
        words: Words,
        api_key: str,
        version: str,
        done: str,
        end_after: Callable[[float], object],
        *,
        docs: bool = True,
        chat_defaults: Mapping[str, Any] | None = None,
    ) -> None:
        self._names = names
        self._words = words
        self._api_key = api_key
        self._version = version
        self._done = done
        self._end_after = end_after
        self._docs = docs
        self._chat_defaults = dict(chat_defaults or {})
        self._figures = Figures()
        self._asked: Counter[str] = Counter()
        self._draining = False
        self._core_is_dead = False

    def app(self) -> web.Application:
        """The application with all routes."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        app = web.Application(client_max_size=1 << 28, middlewares=[guard])
        if self._words.access_log:
            app.on_response_prepare.append(_log_access)
        route = app.router.add_route
        route("GET", "/health", self._health)
        route("GET", "/version", self._tell_version)
        route("GET", "/metrics", self._metrics)
        if self._docs:
            route("GET", "/openapi.json", self._openapi)
        route("GET", "/v1/models", self._models)
        route("POST", "/v1/chat/completions", self._chat)
        route("POST", "/v1/completions", self._completions)
        route("POST", "/v1/messages", self._messages)
        route("POST", "/v1/embeddings", self._embeddings)
        route("POST", "/tokenize", self._tokenize)
        route("POST", "/v1/audio/transcriptions", self._audio)
        route("POST", "/v1/audio/translations", self._audio)
        route("*", "/echo-request", self._echo)
        route("POST", "/fake", self._change)
        route("GET", "/fake", self._tell_asked)
        return app

    def lose_core(self) -> None:
        """What makes tokens is gone."""
        self._core_is_dead = True
        self._words.health = self._words.core_health

    async def drain(self, timeout_s: float) -> None:
        """Wait until nothing runs, `timeout_s` at most."""
        self._draining = True
        until = time.monotonic() + timeout_s
        while self._figures.running and time.monotonic() < until:
            await asyncio.sleep(0.01)

    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._asked[request.path] += 1
        key = f"Bearer {self._api_key}"
        guarded = self._api_key and request.path.startswith("/v1")
        if guarded and request.headers.get("Authorization") != key:
            return web.json_response({"error": "Unauthorized"}, status=401)
        try:
            return await handler(request)
        except Refusal as refusal:
            of_messages = request.path == "/v1/messages"
            body = messages.error(refusal) if of_messages else refusal.body
            return web.json_response(body, status=refusal.status)
        except web.HTTPException as error:
            # vLLM 0.32 answers unknown routes as FastAPI does, not with an error of its own form.
            return web.json_response({"detail": error.reason}, status=error.status)

    async def _health(self, _: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self._words.slow_health)
        return web.Response(status=self._words.health)

    async def _tell_version(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"version": self._version})

    async def _openapi(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(document())

    async def _metrics(self, _: web.Request) -> web.StreamResponse:
        figures = [
            ("num_requests_running", "gauge", self._figures.running),
            ("num_requests_waiting", "gauge", 0),
            ("kv_cache_usage_perc", "gauge", min(1.0, self._figures.running / 64)),
            ("prefix_cache_queries_total", "counter", self._figures.prompt_tokens),
            ("prefix_cache_hits_total", "counter", self._figures.prompt_tokens // 2),
            ("num_preemptions_total", "counter", 0),
            ("prompt_tokens_total", "counter", self._figures.prompt_tokens),
            ("generation_tokens_total", "counter", self._figures.tokens),
        ]
        labels = f'{{engine="0",model_name="{self._names[0]}"}}'
        lines = []
        for name, kind, value in figures:
            lines.append(f"# HELP vllm:{name} As the real one counts.\n# TYPE vllm:{name} {kind}")
            lines.append(f"vllm:{name}{labels} {float(value)}")
        return web.Response(text="\n".join(lines) + "\n")

    async def _models(self, _: web.Request) -> web.StreamResponse:
        shared = {"object": "model", "created": int(time.time()), "owned_by": "vllm"}
        card = {**shared, "root": self._names[0], "parent": None, "max_model_len": 2048}
        data = [{"id": name, **card} for name in self._names]
        return web.json_response({"object": "list", "data": data})

    async def _tokenize(self, request: web.Request) -> web.StreamResponse:
        asked, _ = await self._read(request)
        words = words_of(asked["prompt"]) if "prompt" in asked else rendered(asked)
        tokens = [zlib.crc32(word.encode()) for word in words]
        body = {"count": len(tokens), "max_model_len": 2048, "tokens": tokens}
        return web.json_response({**body, "token_strs": None})

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        asked, fake = await self._read(request)
        async with self._counted(fake):
            if fake.status != 200:
                return _told_status(fake)
            texts = asked.get("input", "")
            texts = texts if isinstance(texts, list) else [texts]
            one = {"object": "embedding", "embedding": [0.5, -0.5, 0.5, -0.5]}
            data = [{"index": index, **one} for index in range(len(texts))]
            used = len(words_of(texts))
            self._figures.prompt_tokens += used
            usage = {"prompt_tokens": used, "total_tokens": used, "completion_tokens": 0}
            body = {"object": "list", "model": self._names[0], "data": data, "usage": usage}
            return web.json_response(body)

    async def _audio(self, request: web.Request) -> web.StreamResponse:
        return await audio.answer(request, list(self._names))

    async def _echo(self, request: web.Request) -> web.StreamResponse:
        text = (await request.read()).decode(errors="replace")
        told = {"method": request.method, "path": request.path_qs, "body": text}
        return web.json_response({**told, "headers": dict(request.headers)})

    async def _change(self, request: web.Request) -> web.StreamResponse:
        told = Words.parse(await request.text())
        self._words.health, self._words.slow_health = told.health, told.slow_health
        self._words.stall, self._words.core_died = told.stall, told.core_died
        if told.exit_after is not None:
            self._end_after(told.exit_after)
        return web.json_response({})

    async def _tell_asked(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(self._asked)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._generate(request, chat=True)

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        return await self._generate(request, chat=False)

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        asked, fake = await self._read(request)
        async with self._counted(fake):
            if fake.status != 200:
                raise Refusal(fake.status, fake.message)
            model = asked.get("model") or self._names[0]
            return await messages.answer(request, asked, fake, self._words, model)

    async def _generate(self, request: web.Request, *, chat: bool) -> web.StreamResponse:
        asked, fake = await self._read(request)
        model = asked.get("model") or self._names[0]
        async with self._counted(fake):
            if fake.status != 200:
                return _told_status(fake)
            await media.fetch(asked)
            if self._chat_defaults:
                own = asked.get("chat_template_kwargs") or {}
                asked["chat_template_kwargs"] = {**self._chat_defaults, **own}
            generation = Generation(asked, chat, model, fake)
            generation.id = request.headers.get("X-Request-Id", generation.id)
            self._figures.prompt_tokens += generation.prompt_tokens
            if fake.kill:
                await until_begun(fake, self._words)
                self._end_after(0)
                await asyncio.Event().wait()
            if generation.stream:
                stream = Stream(request, generation, self._words, self._figures)
                response = await stream.answer()
            else:
                response = await in_one_piece(request, generation, self._words, self._figures)
            if self._done and generation.complete:
                _note(self._done, str(asked.get("user")))
            return response

    async def _read(self, request: web.Request) -> tuple[dict[str, Any], Fake]:
        try:
            asked = await request.json()
        except ValueError as error:
            raise Refusal(400, f"JSON decode error: {error}") from error
        if not isinstance(asked, dict):
            raise Refusal(400, "Input should be a valid dictionary")
        try:
            fake = Fake(**(asked.get("fake") or (asked.get("metadata") or {}).get("fake") or {}))
        except TypeError as error:
            raise Refusal(400, f"fake: {error}") from error
        if fake.prints:
            log.past_the_logger(fake.prints)
        if fake.logs:
            log.error(fake.logs)
        if (model := asked.get("model")) and model not in self._names:
            raise Refusal(404, f"The model `{model}` does not exist.")
        return asked, fake

    @contextlib.asynccontextmanager
    async def _counted(self, fake: Fake) -> AsyncIterator[None]:
        """Counts the request as running until it is answered or its client is gone."""
        if self._draining:
            raise Refusal(503, "The server is shutting down.")
        self._see_that_there_is_a_core()
        self._figures.running += 1
        try:
            while fake.hang or self._words.stall:
                self._see_that_there_is_a_core()
                await asyncio.sleep(0.05)
            yield
        finally:
            self._figures.running -= 1

    def _see_that_there_is_a_core(self) -> None:
        if self._core_is_dead:
            raise Refusal(500, "EngineCore encountered an issue. See stack trace (above).")


def _told_status(fake: Fake) -> web.StreamResponse:
    text = json_text(error_body(fake.status, fake.message)) if fake.body is None else fake.body
    kind = "application/json" if fake.body is None else "text/plain"
    headers = {"Location": fake.location} if fake.location else {}
    return web.Response(text=text, status=fake.status, headers=headers, content_type=kind)


def _note(path: str, line: str) -> None:
    """Add one line to the file at `path`."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


async def _log_access(request: web.Request, response: web.StreamResponse) -> None:
    log.access(request.method, request.raw_path, response.status, response.reason or "")
