#!/usr/bin/env python3
"""A stand-in for `vllm`, for tests of what the real one cannot do on demand.

Started as `python tests/fake_vllm.py serve MODEL --host=... --port=... [any other flags]`. It reads
`--host`, `--port` (0: any; the log says which), `--served-model-name` and `--shutdown-timeout`.
Token i is the text f" w{i}" with the id i, one token per event, so order and completeness show.

The process behaves as the words in the environment variable FAKE_VLLM say, parted by blanks:

    start=SECONDS         delay before it listens
    hang-start            never listens, after the lines of FAKE_VLLM_LINES on stderr
    exit=CODE             ends during its start, after the lines of FAKE_VLLM_LINES on stderr
    fail-starts=N         only the first N starts end so (with 1 without `exit`); FAKE_VLLM_STATE
                          names the file that counts the starts
    exit-after=SECONDS    ends with 1 that long after it was ready, after the same lines
    ignore-term           SIGTERM does nothing
    stop-time=SECONDS     goes on that long after SIGTERM
    orphan                starts a child in its process group that ignores SIGTERM, as EngineCore
                          might; the log says `orphan PID`. It ends by itself after five minutes
    daemon                the same, in a session of its own, as Ray starts its own
    eat                   takes memory until there is no more
    log=N, log-flood      N log lines before it listens; lines without end
    health=CODE           what `/health` answers
    slow-health[=SECONDS] `/health` takes that long (30)
    stall                 no request gets a token, while `/health` answers: a hung EngineCore

FAKE_VLLM_DONE names a file that gets one line, the request's field "user", for each request that
was answered to its end.

`POST /fake` with such words as its body replaces health, slow-health and stall while it runs.
Unknown routes get `{"detail": "Not Found"}` and a missing key `{"error": "Unauthorized"}`, which is
what vLLM 0.32 answers; VLLM_API_KEY makes it ask for the key on `/v1`. Without
`--shutdown-timeout=SECONDS` SIGTERM ends it at once, with 0; with it, running requests are finished
first and new ones get 503.

A request behaves as its body's field "fake" says (an unknown name in it is a 400):

    tokens: N             how many; else the pieces of `text`, else `max_tokens`, else 16
    rate: N               tokens/s; 0, the default, is as fast as possible
    first_token_s: S      delay before the first event; the HTTP headers come at once
    text: "..."           the answer, a token per word
    half_character: true  tokens end in a character of several bytes, cut over two TCP writes
    split_events: true    events torn over TCP writes, also inside the line ends
    merge_events: N       N events to one TCP write
    crlf: true            lines end in CRLF
    keepalive: true       a comment `: ping` before each event, and every 0.1 s of a pause
    event_names: true     an `event:` line before each `data:` line
    big: BYTES            one event (the first token's) that large
    error_after: N        after N tokens `data: {"error": ...}`, then `[DONE]`
    cut_after: N          after N tokens the socket closes, in the middle of the HTTP body
    hang_after: N         silence after N tokens (with `keepalive`: comments)
    hang: true            never answers, not even with headers
    no_done: true         the body ends in order, without `[DONE]`
    status: CODE          that status with vLLM's error body; `message` is its text, `body`
                          replaces it as it is, `location` is the header of a redirect
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn, Self

VERSION = "0.32.0"
DEFAULT_MODEL = "Qwen/Qwen3-0.6B"
ORPHAN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
TEAR_S = 0.005  # between two TCP writes that are to arrive apart
ERROR_TYPES = {
    400: "BadRequestError",
    404: "NotFoundError",
    422: "UnprocessableEntityError",
    500: "InternalServerError",
    501: "NotImplementedError",
    503: "ServiceUnavailableError",
}


def main(arguments: list[str], environment: dict[str, str]) -> int:
    """Behave as told. Returns the exit code; most ways out end the process themselves."""
    if arguments == ["--version"]:
        print(VERSION)
        return 0
    words = Words.parse(environment.get("FAKE_VLLM", ""))
    signal.signal(signal.SIGTERM, signal.SIG_IGN if words.ignore_term else _exit_at_once)
    command = Command.parse(arguments)
    started = count_start(environment.get("FAKE_VLLM_STATE", ""))
    last_lines = environment.get("FAKE_VLLM_LINES", "")
    if words.orphan:
        say(f"orphan {subprocess.Popen([sys.executable, '-c', ORPHAN]).pid}")
    if words.daemon:
        daemon = subprocess.Popen([sys.executable, "-c", ORPHAN], start_new_session=True)
        say(f"daemon {daemon.pid}")
    if words.eat:
        eaten = []
        while True:
            eaten.append(bytearray(1 << 24))
    for line in range(words.log):
        say(f"INFO 01-01 00:00:00 [core.py:1] line {line}")
    if words.log_flood:
        threading.Thread(target=flood, daemon=True).start()
    time.sleep(words.start)
    if words.ends_at_start(started):
        leave(last_lines, words.exit if words.exit is not None else 1)
    if words.hang_start and last_lines:
        say(last_lines)
    while words.hang_start:
        time.sleep(60)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(command, words, environment.get("VLLM_API_KEY", ""), last_lines))
    return 0


def say(line: str) -> None:
    """One line of log."""
    print(line, file=sys.stderr, flush=True)


def leave(last_lines: str, code: int) -> NoReturn:
    """End without any tidying, as a crash does."""
    if last_lines:
        say(last_lines)
    os._exit(code)


def flood() -> None:
    """Log without end, up to 100,000 lines/s."""
    lines = "\n".join(f"INFO 01-01 00:00:00 [core.py:1] flood {n}" for n in range(100))
    while True:
        say(lines)
        time.sleep(0.001)


def count_start(path: str) -> int:
    """Count this start in the file at `path`, if there is one. Returns its number, from 1."""
    if not path:
        return 1
    state = Path(path)
    number = int(state.read_text() or 0) + 1 if state.exists() else 1
    state.write_text(str(number))
    return number


def note(path: str, line: str) -> None:
    """Add one line to the file at `path`."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def _exit_at_once(*_: object) -> None:
    os._exit(0)


# --- what it is told -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    """What it reads of its command line."""

    names: tuple[str, ...]
    host: str
    port: int
    shutdown_timeout_s: float

    @classmethod
    def parse(cls, arguments: list[str]) -> Self:
        """`serve MODEL --flag=value --flag value --list a b`; unknown flags are passed over."""
        model = arguments[1] if len(arguments) > 1 and arguments[1][:2] != "--" else DEFAULT_MODEL
        flags: dict[str, list[str]] = {}
        values: list[str] = []
        for argument in arguments[1:]:
            if argument.startswith("--"):
                name, equals, value = argument.partition("=")
                values = flags[name] = [value] if equals else []
            else:
                values.append(argument)

        def last(flag: str, default: str) -> str:
            return (flags.get(flag) or [default])[-1]

        return cls(
            tuple(flags.get("--served-model-name") or [model]),
            last("--host", "0.0.0.0"),  # noqa: S104 - as vLLM
            int(last("--port", "8000")),
            float(last("--shutdown-timeout", "0")),
        )


@dataclass
class Words:
    """The words of FAKE_VLLM, times in seconds."""

    start: float = 0
    hang_start: bool = False
    exit: int | None = None
    fail_starts: int | None = None
    exit_after: float | None = None
    ignore_term: bool = False
    stop_time: float = 0
    orphan: bool = False
    daemon: bool = False
    eat: bool = False
    log: int = 0
    log_flood: bool = False
    health: int = 200
    slow_health: float = 0
    stall: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises SystemExit for an unknown word: a test with a typing error must not pass."""
        known = {each.name: str(each.type) for each in fields(cls)}
        told: dict[str, Any] = {}
        for word in text.split():
            name, equals, value = word.partition("=")
            name = name.replace("-", "_")
            if name not in known:
                raise SystemExit(f"FAKE_VLLM: unknown word {word!r}")
            if known[name] == "bool":
                told[name] = True
            elif known[name].startswith("int"):
                told[name] = int(value)
            else:
                told[name] = float(value if equals else 30)
        return cls(**told)

    def ends_at_start(self, number: int) -> bool:
        """Whether start `number`, from 1, is to fail."""
        if self.fail_starts is not None:
            return number <= self.fail_starts
        return self.exit is not None


@dataclass
class Fake:
    """The field "fake" of a request."""

    tokens: int | None = None
    rate: float = 0
    first_token_s: float = 0
    text: str = ""
    half_character: bool = False
    split_events: bool = False
    merge_events: int = 1
    crlf: bool = False
    keepalive: bool = False
    event_names: bool = False
    big: int = 0
    error_after: int | None = None
    cut_after: int | None = None
    hang_after: int | None = None
    hang: bool = False
    no_done: bool = False
    status: int = 200
    message: str = "as the test wished"
    body: str | None = None
    location: str = ""

    def pieces(self, max_tokens: int) -> list[str]:
        """The texts of the answer's tokens."""
        words = re.findall(r"\s*\S+|\s+$", self.text)
        count = self.tokens if self.tokens is not None else len(words) or max_tokens
        texts = words[:count] + [f" w{i}" for i in range(len(words), count)]
        if self.half_character:
            texts = [text + "\N{SNOWMAN}" for text in texts]
        if self.big and texts:
            texts[0] = "x" * self.big
        return texts


# --- requests ------------------------------------------------------------------------------------


class Refusal(Exception):
    """A request that is answered with an error of the OpenAI form."""

    def __init__(self, status: int, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(status, message, param)


def error_body(status: int, message: str, param: str | None = None) -> dict[str, Any]:
    """An error as vLLM 0.32 writes it."""
    kind = ERROR_TYPES.get(status, "Error")
    return {"error": {"message": message, "type": kind, "param": param, "code": status}}


@dataclass
class Generation:
    """One request for tokens: what its answer looks like."""

    request: dict[str, Any]
    chat: bool
    model: str
    fake: Fake
    created: int = field(default_factory=lambda: int(time.time()))
    id: str = field(default_factory=lambda: os.urandom(8).hex())
    complete: bool = False  # every token of it was made

    def __post_init__(self) -> None:
        """Check what vLLM would refuse."""
        request = self.request
        asked = request.get("max_completion_tokens") or request.get("max_tokens", 16)
        if not isinstance(asked, int) or asked < 1:
            raise Refusal(400, f"max_tokens must be at least 1, got {asked}.", "max_tokens")
        if request.get("temperature", 0) < 0:
            raise Refusal(400, "temperature must be non-negative.", "temperature")
        if ("messages" if self.chat else "prompt") not in request:
            raise Refusal(400, "Field required: " + ("messages" if self.chat else "prompt"))
        self.stream = bool(request.get("stream"))
        self.texts = self.fake.pieces(asked)
        prompt = request.get("prompt")
        many = not self.chat and isinstance(prompt, list) and not isinstance(prompt[0], int)
        self.choices = int(request.get("n", 1)) * (len(prompt or ()) if many else 1)

    @property
    def prompt_tokens(self) -> int:
        """One for each word of the prompt."""
        asked = self.request["messages"] if self.chat else self.request["prompt"]
        return max(1, len(words_of(asked)))

    def usage(self, completion: int) -> dict[str, int]:
        """The figures after `completion` tokens of all choices."""
        prompt = self.prompt_tokens
        figures = {"prompt_tokens": prompt, "total_tokens": prompt + completion}
        return {**figures, "completion_tokens": completion}

    def chunk(self, choices: list[dict[str, Any]], completion: int | None) -> dict[str, Any]:
        """The object of one event; with usage where `completion` is a number of tokens."""
        kind = "chat.completion.chunk" if self.chat else "text_completion"
        head = {"id": self._id(), "object": kind, "created": self.created, "model": self.model}
        tail = {} if completion is None else {"usage": self.usage(completion)}
        return {**head, "choices": choices, **tail}

    def role(self, index: int) -> dict[str, Any]:
        """The first event of a chat's choice."""
        delta = {"role": "assistant", "content": ""}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def token(self, index: int, number: int) -> dict[str, Any]:
        """The choice in the event of one token; the last one names the reason for the end."""
        text = self.texts[number] if self.texts else ""
        told = {"delta": {"content": text}} if self.chat else {"text": text}
        reason = "length" if number + 1 >= len(self.texts) else None
        choice = {"index": index, **told, "logprobs": self._logprobs([text])}
        choice |= {"finish_reason": reason, "stop_reason": None}
        return choice | ({"token_ids": [number]} if self._ids() and self.texts else {})

    def whole(self) -> dict[str, Any]:
        """The answer to a request without `stream`."""
        text = "".join(self.texts)
        message = {"message": {"role": "assistant", "content": text, "tool_calls": []}}
        told: dict[str, Any] = message if self.chat else {"text": text}
        ids = {"token_ids": list(range(len(self.texts)))} if self._ids() else {}
        rest = {"logprobs": self._logprobs(self.texts), "finish_reason": "length", **ids}
        choices = [{"index": index, **told, **rest} for index in range(self.choices)]
        kind = "chat.completion" if self.chat else "text_completion"
        head = {"id": self._id(), "object": kind, "created": self.created, "model": self.model}
        return {**head, "choices": choices, "usage": self.usage(len(self.texts) * self.choices)}

    def stream_option(self, name: str) -> bool:
        """A boolean of `stream_options`."""
        return bool((self.request.get("stream_options") or {}).get(name))

    def _id(self) -> str:
        return ("chatcmpl-" if self.chat else "cmpl-") + self.id

    def _ids(self) -> bool:
        return bool(self.request.get("return_token_ids"))

    def _logprobs(self, texts: list[str]) -> dict[str, Any] | None:
        if not self.request.get("logprobs"):
            return None
        if self.chat:
            one = {"logprob": -0.5, "top_logprobs": []}
            return {"content": [{"token": t, "bytes": list(t.encode()), **one} for t in texts]}
        tops = [{text: -0.5} for text in texts]
        numbers = {"text_offset": [0] * len(texts), "token_logprobs": [-0.5] * len(texts)}
        return {**numbers, "tokens": texts, "top_logprobs": tops}


def words_of(asked: Any) -> list[str]:
    """The words in a prompt, a list of prompts or of messages; a token id counts as a word."""
    if isinstance(asked, list):
        return [word for each in asked for word in words_of(each)]
    if isinstance(asked, dict):
        return words_of(asked.get("content", asked.get("text", "")))
    return str(asked).split()


# --- bytes ---------------------------------------------------------------------------------------


class Wire:
    """Turns the objects of events into TCP writes, torn or merged as `fake` says."""

    def __init__(self, fake: Fake, name: str) -> None:
        self._fake = fake
        self._name = name
        self._held = b""
        self._merged = 0

    def event(self, data: dict[str, Any] | str) -> Iterator[bytes]:
        """The writes for one event."""
        text = data if isinstance(data, str) else json_text(data)
        head = f"event: {self._name}\n" if self._fake.event_names else ""
        comment = ": ping\n\n" if self._fake.keepalive else ""
        yield from self._cut(f"{comment}{head}data: {text}\n\n")

    def ping(self) -> Iterator[bytes]:
        """The writes for a comment."""
        yield from self._cut(": ping\n\n")

    def rest(self) -> bytes:
        """What is still held back."""
        held, self._held = self._held, b""
        return held

    def _cut(self, text: str) -> Iterator[bytes]:
        fake = self._fake
        raw = (text.replace("\n", "\r\n") if fake.crlf else text).encode()
        if fake.half_character and (wide := re.search(rb"[\xc0-\xff]", raw)):
            yield self.rest() + raw[: wide.end()]
            raw = raw[wide.end() :]
        if fake.split_events:
            middle = len(raw) // 2
            yield self.rest() + raw[:3]
            yield raw[3:middle]
            yield raw[middle:-1]
            self._held = raw[-1:]
            return
        self._held += raw
        self._merged += 1
        if self._merged >= fake.merge_events:
            self._merged = 0
            yield self.rest()


def json_text(data: Any) -> str:
    """JSON as vLLM's pydantic writes it: no blanks, characters as they are."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


# --- the server ----------------------------------------------------------------------------------


async def serve(command: Command, words: Words, api_key: str, last_lines: str) -> None:
    """Listen until told to stop."""
    from aiohttp import web  # imported here so that a start that fails does so at once

    engine = Engine(web, command, words, api_key, os.environ.get("FAKE_VLLM_DONE", ""))
    runner = web.AppRunner(engine.app(), handler_cancellation=True, access_log=None)
    await runner.setup()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    if not words.ignore_term:
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    # vLLM sets SO_REUSEPORT, too: a second server on the same port gives no error.
    site = web.TCPSite(runner, command.host, command.port, reuse_port=True)
    await site.start()
    port = runner.addresses[0][1]
    say(f"INFO:     Uvicorn running on http://{command.host}:{port} (Press CTRL+C to quit)")
    if words.exit_after is not None:
        loop.call_later(words.exit_after, leave, last_lines, 1)
    await stop.wait()
    await asyncio.sleep(words.stop_time)
    await engine.drain(command.shutdown_timeout_s)
    os._exit(0)


class Engine:
    """The HTTP side."""

    def __init__(
        self, web: Any, command: Command, words: Words, api_key: str, done: str = ""
    ) -> None:
        self._web = web
        self._done = done
        self._names = command.names
        self._words = words
        self._api_key = api_key
        self._running = 0
        self._prompt_tokens = 0
        self._tokens = 0
        self._draining = False

    def app(self) -> Any:
        """The application with all routes."""

        @self._web.middleware  # type: ignore[untyped-decorator]
        async def guard(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
            return await self._guard(request, handler)

        app = self._web.Application(client_max_size=1 << 28, middlewares=[guard])
        route = app.router.add_route
        route("GET", "/health", self._health)
        route("GET", "/version", self._version)
        route("GET", "/metrics", self._metrics)
        route("GET", "/v1/models", self._models)
        route("POST", "/v1/chat/completions", self._chat)
        route("POST", "/v1/completions", self._completions)
        route("POST", "/v1/embeddings", self._embeddings)
        route("POST", "/tokenize", self._tokenize)
        route("*", "/echo-request", self._echo)
        route("POST", "/fake", self._change)
        return app

    async def drain(self, timeout_s: float) -> None:
        """Wait until nothing runs, `timeout_s` at most."""
        self._draining = True
        until = time.monotonic() + timeout_s
        while self._running and time.monotonic() < until:
            await asyncio.sleep(0.01)

    async def _guard(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        key = f"Bearer {self._api_key}"
        guarded = self._api_key and request.path.startswith("/v1")
        if guarded and request.headers.get("Authorization") != key:
            return self._web.json_response({"error": "Unauthorized"}, status=401)
        try:
            return await handler(request)
        except Refusal as refusal:
            return self._web.json_response(refusal.body, status=refusal.status)
        except self._web.HTTPException as error:
            # vLLM 0.32 answers unknown routes as FastAPI does, not with an error of its own form.
            return self._web.json_response({"detail": error.reason}, status=error.status)

    async def _health(self, _: Any) -> Any:
        await asyncio.sleep(self._words.slow_health)
        return self._web.Response(status=self._words.health)

    async def _version(self, _: Any) -> Any:
        return self._web.json_response({"version": VERSION})

    async def _metrics(self, _: Any) -> Any:
        figures = [
            ("num_requests_running", "gauge", self._running),
            ("num_requests_waiting", "gauge", 0),
            ("prompt_tokens_total", "counter", self._prompt_tokens),
            ("generation_tokens_total", "counter", self._tokens),
        ]
        labels = f'{{engine="0",model_name="{self._names[0]}"}}'
        lines = []
        for name, kind, value in figures:
            lines.append(f"# HELP vllm:{name} As the real one counts.\n# TYPE vllm:{name} {kind}")
            lines.append(f"vllm:{name}{labels} {float(value)}")
        return self._web.Response(text="\n".join(lines) + "\n")

    async def _models(self, _: Any) -> Any:
        shared = {"object": "model", "created": int(time.time()), "owned_by": "vllm"}
        card = {**shared, "root": self._names[0], "parent": None, "max_model_len": 2048}
        data = [{"id": name, **card} for name in self._names]
        return self._web.json_response({"object": "list", "data": data})

    async def _tokenize(self, request: Any) -> Any:
        asked, _ = await self._read(request)
        count = len(words_of(asked.get("prompt", asked.get("messages", ""))))
        body = {"count": count, "max_model_len": 2048, "tokens": list(range(count))}
        return self._web.json_response({**body, "token_strs": None})

    async def _embeddings(self, request: Any) -> Any:
        asked, fake = await self._read(request)
        async with self._counted(fake):
            if fake.status != 200:
                return self._told_status(fake)
            texts = asked.get("input", "")
            texts = texts if isinstance(texts, list) else [texts]
            one = {"object": "embedding", "embedding": [0.5, -0.5, 0.5, -0.5]}
            data = [{"index": index, **one} for index in range(len(texts))]
            used = len(words_of(texts))
            self._prompt_tokens += used
            usage = {"prompt_tokens": used, "total_tokens": used, "completion_tokens": 0}
            body = {"object": "list", "model": self._names[0], "data": data, "usage": usage}
            return self._web.json_response(body)

    async def _echo(self, request: Any) -> Any:
        text = (await request.read()).decode(errors="replace")
        told = {"method": request.method, "path": request.path_qs, "body": text}
        return self._web.json_response({**told, "headers": dict(request.headers)})

    async def _change(self, request: Any) -> Any:
        told = Words.parse(await request.text())
        self._words.health, self._words.slow_health = told.health, told.slow_health
        self._words.stall = told.stall
        return self._web.json_response({})

    async def _chat(self, request: Any) -> Any:
        return await self._generate(request, chat=True)

    async def _completions(self, request: Any) -> Any:
        return await self._generate(request, chat=False)

    async def _generate(self, request: Any, *, chat: bool) -> Any:
        asked, fake = await self._read(request)
        model = asked.get("model") or self._names[0]
        async with self._counted(fake):
            if fake.status != 200:
                return self._told_status(fake)
            generation = Generation(asked, chat, model, fake)
            self._prompt_tokens += generation.prompt_tokens
            answer = self._stream if generation.stream else self._at_once
            response = await answer(request, generation)
            if self._done and generation.complete:
                note(self._done, str(asked.get("user")))
            return response

    def _told_status(self, fake: Fake) -> Any:
        text = json_text(error_body(fake.status, fake.message)) if fake.body is None else fake.body
        kind = "application/json" if fake.body is None else "text/plain"
        headers = {"Location": fake.location} if fake.location else {}
        return self._web.Response(text=text, status=fake.status, headers=headers, content_type=kind)

    async def _read(self, request: Any) -> tuple[dict[str, Any], Fake]:
        try:
            asked = await request.json()
        except ValueError as error:
            raise Refusal(400, f"JSON decode error: {error}") from error
        if not isinstance(asked, dict):
            raise Refusal(400, "Input should be a valid dictionary")
        try:
            fake = Fake(**(asked.get("fake") or {}))
        except TypeError as error:
            raise Refusal(400, f"fake: {error}") from error
        if (model := asked.get("model")) and model not in self._names:
            raise Refusal(404, f"The model `{model}` does not exist.")
        return asked, fake

    @contextlib.asynccontextmanager
    async def _counted(self, fake: Fake) -> AsyncIterator[None]:
        """Counts the request as running until it is answered or its client is gone."""
        if self._draining:
            raise Refusal(503, "The server is shutting down.")
        self._running += 1
        try:
            while fake.hang or self._words.stall:
                await asyncio.sleep(0.05)
            yield
        finally:
            self._running -= 1

    async def _at_once(self, request: Any, generation: Generation) -> Any:
        fake = generation.fake
        await asyncio.sleep(fake.first_token_s)
        for number in range(len(generation.texts) + 1):
            if number == fake.hang_after:
                await asyncio.Event().wait()
            if number == fake.cut_after:
                request.transport.close()
                return self._web.Response()
            if number == fake.error_after:
                raise Refusal(500, "EngineCore encountered an issue.")
            if number == len(generation.texts):
                break
            await asyncio.sleep(1 / fake.rate if fake.rate else 0)
            self._tokens += generation.choices
        generation.complete = True
        return self._web.json_response(generation.whole(), dumps=json_text)

    async def _stream(self, request: Any, generation: Generation) -> Any:
        fake = generation.fake
        headers = {"Content-Type": "text/event-stream; charset=utf-8"}
        response = self._web.StreamResponse(headers=headers)
        await response.prepare(request)
        wire = Wire(fake, "chat.completion.chunk" if generation.chat else "text_completion")

        async def write(pieces: Iterator[bytes]) -> None:
            torn = fake.split_events or fake.half_character
            for piece in pieces:
                await response.write(piece)
                await asyncio.sleep(TEAR_S if torn else 0)

        async def pause(seconds: float) -> None:
            until = time.monotonic() + seconds
            while (left := until - time.monotonic()) > 0:
                await asyncio.sleep(min(left, 0.1))
                if fake.keepalive and left > 0.1:
                    await write(wire.ping())

        whole = await self._events(generation, wire, write, pause)
        if whole and not fake.no_done:
            await write(wire.event("[DONE]"))
        if rest := wire.rest():
            await response.write(rest)
        if whole:
            await response.write_eof()
        else:
            request.transport.close()
        return response

    async def _events(
        self,
        generation: Generation,
        wire: Wire,
        write: Callable[[Iterator[bytes]], Awaitable[None]],
        pause: Callable[[float], Awaitable[None]],
    ) -> bool:
        """Write the events up to `[DONE]`. Returns False if the socket is to be cut."""
        fake, choices = generation.fake, range(generation.choices)
        continuous = generation.stream_option("continuous_usage_stats")
        await pause(fake.first_token_s)
        for index in choices if generation.chat else ():
            await write(wire.event(generation.chunk([generation.role(index)], None)))
        began, done, count = time.monotonic(), 0, max(1, len(generation.texts))
        for number in range(count + 1):
            if number == fake.cut_after:
                return False
            if number == fake.error_after:
                await write(wire.event(error_body(500, "EngineCore encountered an issue.")))
                return True
            if number == fake.hang_after:
                await pause(float("inf"))
            if number == count:
                break
            if fake.rate:
                await pause(began + number / fake.rate - time.monotonic())
            while self._words.stall:
                await pause(0.05)
            for index in choices:
                done += bool(generation.texts)
                self._tokens += bool(generation.texts)
                choice = generation.token(index, number)
                so_far = number + bool(generation.texts)  # of this choice, as vLLM counts it
                await write(wire.event(generation.chunk([choice], so_far if continuous else None)))
        if generation.stream_option("include_usage"):
            await write(wire.event(generation.chunk([], done)))
        generation.complete = True
        return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], dict(os.environ)))
