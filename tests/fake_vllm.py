#!/usr/bin/env python3
"""A stand-in for `vllm`, for what the real one cannot do on demand.

Started as `fake_vllm.py serve MODEL --host=... --port=... [options]`; options that it does not know
are ignored. How the process behaves is said in FAKE_VLLM, words parted by spaces:

    start=S           listens after S seconds
    exit=CODE         prints FAKE_VLLM_LINES to stderr and ends with CODE instead of starting
    fail-starts=N     does so on its first N starts (counted in the file FAKE_VLLM_STATE)
    exit-after=S      ends with code 1, S seconds after it listens
    hang-start        never listens
    ignore-term       ignores SIGTERM
    orphan            leaves a grandchild in its process group that ignores SIGTERM
    flood=BYTES       prints so much at its start

How a request is answered is said in the body's field `fake`, so that one process serves many tests:

    tokens=N          how many tokens (else `max_tokens`, else 16); token i is the text " w<i>"
    rate=R            tokens per second; 0 is as fast as possible (the default)
    first=S           seconds before the first token
    cut_after=N       closes the connection after N tokens
    error_after=N     sends an error event and [DONE] after N tokens
    status=CODE       answers with an error of that status
    hang=true         never answers
    torn=true         every write ends in the middle of an event or of a character
    crlf=true         lines end with CRLF
    keepalive=true    comments between the events
    no_done=true      no [DONE], and no blank line behind the last event
    big=BYTES         the first token is so long
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

VERSION = "0.32.0"


class Behaviour:
    """The words of FAKE_VLLM."""

    def __init__(self, words: str) -> None:
        pairs = (word.partition("=") for word in words.split())
        self._words = {name: value for name, _, value in pairs}

    def __contains__(self, name: str) -> bool:
        return name in self._words

    def number(self, name: str, default: float = 0.0) -> float:
        """The number behind a word."""
        return float(self._words.get(name) or default)


class Server:
    """Answers like vLLM's API server where the tests look."""

    def __init__(self, model: str, names: list[str], drain: float) -> None:
        self.model = model
        self.names = names or [model]
        self.drain = drain
        self.running = 0
        self.generated = 0
        self.seen: list[dict[str, Any]] = []
        self.key = os.environ.get("VLLM_API_KEY")

    def application(self) -> web.Application:
        """The routes."""
        application = web.Application(client_max_size=64 * 1024**2, middlewares=[self._check])
        application.add_routes(
            [
                web.get("/health", self._health),
                web.get("/version", self._version),
                web.get("/metrics", self._metrics),
                web.get("/v1/models", self._models),
                web.get("/fake/seen", self._seen),
                web.post("/v1/chat/completions", self._generate),
                web.post("/v1/completions", self._generate),
                web.post("/v1/embeddings", self._embeddings),
            ]
        )
        return application

    @web.middleware
    async def _check(self, request: web.Request, handler: Any) -> web.StreamResponse:
        asked_for = request.headers.get("Authorization")
        if self.key and request.path.startswith("/v1") and asked_for != f"Bearer {self.key}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPNotFound:
            return _error(404, "NotFoundError", "Not Found")
        return response

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def _version(self, _request: web.Request) -> web.Response:
        return web.json_response({"version": VERSION})

    async def _metrics(self, _request: web.Request) -> web.Response:
        label = f'{{engine="0",model_name="{self.names[0]}"}}'
        return web.Response(
            text=f"vllm:num_requests_running{label} {float(self.running)}\n"
            f"vllm:num_requests_waiting{label} 0.0\n"
            f"vllm:generation_tokens_total{label} {float(self.generated)}\n"
        )

    async def _models(self, _request: web.Request) -> web.Response:
        data = [{"id": name, "object": "model", "root": self.model} for name in self.names]
        return web.json_response({"object": "list", "data": data})

    async def _seen(self, _request: web.Request) -> web.Response:
        return web.json_response(self.seen)

    async def _embeddings(self, request: web.Request) -> web.Response:
        body = await request.json()
        inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [
            {"object": "embedding", "index": index, "embedding": [0.5, -0.5, len(text)]}
            for index, text in enumerate(inputs)
        ]
        return web.json_response({"object": "list", "model": self.names[0], "data": data})

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.seen.append(body)
        fake = body.get("fake") or {}
        if "status" in fake:
            return _error(fake["status"], "BadRequestError", "this was asked for", "fake")
        if body.get("model") not in self.names:
            message = f"The model `{body.get('model')}` does not exist."
            return _error(404, "NotFoundError", message, "model")
        if not body.get("messages") and not body.get("prompt"):
            return _error(400, "BadRequestError", "messages or prompt is missing", "messages")
        self.running += 1
        try:
            if fake.get("hang"):
                await asyncio.sleep(3600)
            await asyncio.sleep(fake.get("first", 0))
            if body.get("stream"):
                return await self._stream(request, body, fake)
            return web.json_response(self._whole(request, body, fake))
        finally:
            self.running -= 1

    def _whole(
        self, request: web.Request, body: dict[str, Any], fake: dict[str, Any]
    ) -> dict[str, Any]:
        count = _count(body, fake)
        self.generated += count
        text = "".join(_words(count, fake))
        choices = []
        for index in range(body.get("n") or 1):
            choice: dict[str, Any] = {"index": index, "finish_reason": "length"}
            if "chat" in request.path:
                choice["message"] = {"role": "assistant", "content": text}
            else:
                choice["text"] = text
            choices.append(choice)
        return {**self._head(request), "choices": choices, "usage": _usage(count)}

    def _head(self, request: web.Request, *, chunk: bool = False) -> dict[str, Any]:
        kind = "chat.completion" if "chat" in request.path else "text_completion"
        return {
            "id": "fake-1",
            "object": f"{kind}.chunk" if chunk and "chat" in request.path else kind,
            "created": 1,
            "model": self.names[0],
        }

    async def _stream(
        self, request: web.Request, body: dict[str, Any], fake: dict[str, Any]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        count, held, started = _count(body, fake), b"", time.monotonic()
        if "chat" in request.path:
            held += self._event(request, {"role": "assistant", "content": ""}, fake)
        for index, word in enumerate(_words(count, fake)):
            if fake.get("cut_after") == index:
                await response.write(held)
                if request.transport is not None:
                    request.transport.abort()
                return response
            if fake.get("error_after") == index:
                held += _data({"error": _error_body(500, "InternalServerError", "broke")}, fake)
                break
            held += self._event(request, {"content": word}, fake)
            self.generated += 1
            held = await _write(response, held, fake)
            if rate := fake.get("rate"):
                await asyncio.sleep(max(0.0, started + (index + 1) / rate - time.monotonic()))
        held += self._ending(request, body, fake, count)
        await response.write(held)
        await response.write_eof()
        return response

    def _event(
        self,
        request: web.Request,
        delta: dict[str, Any],
        fake: dict[str, Any],
        finish: str | None = None,
    ) -> bytes:
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        if "chat" in request.path:
            choice["delta"] = delta
        else:
            choice["text"] = delta["content"]
        comment = b": keep-alive\n\n" if fake.get("keepalive") else b""
        return comment + _data({**self._head(request, chunk=True), "choices": [choice]}, fake)

    def _ending(
        self, request: web.Request, body: dict[str, Any], fake: dict[str, Any], count: int
    ) -> bytes:
        last = self._event(request, {"content": ""}, fake, "length")
        if (body.get("stream_options") or {}).get("include_usage"):
            head = self._head(request, chunk=True)
            last += _data({**head, "choices": [], "usage": _usage(count)}, fake)
        if fake.get("no_done"):
            return last.rstrip(b"\r\n")
        newline = b"\r\n" if fake.get("crlf") else b"\n"
        return last + b"data: [DONE]" + newline * 2


def _count(body: dict[str, Any], fake: dict[str, Any]) -> int:
    return int(fake.get("tokens") or body.get("max_tokens") or 16)


def _words(count: int, fake: dict[str, Any]) -> Iterator[str]:
    for index in range(count):
        word = f" w{index}é" if fake.get("torn") else f" w{index}"
        yield word.ljust(fake.get("big", 0), "x") if index == 0 else word


def _usage(count: int) -> dict[str, int]:
    return {"prompt_tokens": 5, "completion_tokens": count, "total_tokens": 5 + count}


def _data(content: dict[str, Any], fake: dict[str, Any]) -> bytes:
    newline = b"\r\n" if fake.get("crlf") else b"\n"
    # As vLLM writes it: no spaces, and characters as they are.
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return b"data: " + text.encode() + newline * 2


async def _write(response: web.StreamResponse, held: bytes, fake: dict[str, Any]) -> bytes:
    """Write, and return what is held back for the next write."""
    if not fake.get("torn"):
        await response.write(held)
        return b""
    middle = held.rfind("é".encode())
    cut = middle + 1 if middle >= 0 else len(held) // 2
    await response.write(held[:cut])
    await asyncio.sleep(0.001)  # or the kernel joins the two
    return held[cut:]


def _error_body(status: int, kind: str, message: str, param: str | None = None) -> dict[str, Any]:
    return {"message": message, "type": kind, "param": param, "code": status}


def _error(status: int, kind: str, message: str, param: str | None = None) -> web.Response:
    return web.json_response({"error": _error_body(status, kind, message, param)}, status=status)


async def serve(server: Server, host: str, port: int, behaviour: Behaviour) -> int:
    """Listen until a signal or until the behaviour says so; returns the exit code."""
    await asyncio.sleep(behaviour.number("start"))
    stop = asyncio.Event()
    code = 0
    loop = asyncio.get_running_loop()
    if "ignore-term" in behaviour:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    runner = web.AppRunner(server.application(), handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port, reuse_port=True, shutdown_timeout=0.1).start()
    print(f"fake vLLM {VERSION} serves {server.model} on {host}:{port}", flush=True)
    if "exit-after" in behaviour:
        loop.call_later(behaviour.number("exit-after"), stop.set)
        code = 1
    await stop.wait()
    end = time.monotonic() + server.drain
    while server.running and time.monotonic() < end:
        await asyncio.sleep(0.02)
    return code


def main() -> int:
    """Start as `vllm serve` would."""
    behaviour = Behaviour(os.environ.get("FAKE_VLLM", ""))
    arguments = sys.argv[1:]
    if not arguments or arguments[0] != "serve":
        print("usage: fake_vllm.py serve MODEL [options]", file=sys.stderr)
        return 2
    if "flood" in behaviour:
        sys.stdout.write(("x" * 99 + "\n") * int(behaviour.number("flood") // 100))
        sys.stdout.flush()
    if "orphan" in behaviour:
        subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
    if "hang-start" in behaviour:
        time.sleep(3600)
    if "exit" in behaviour and _fails(behaviour):
        print(os.environ.get("FAKE_VLLM_LINES", "it broke"), file=sys.stderr, flush=True)
        return int(behaviour.number("exit"))
    options = _options(arguments[1:])
    model = arguments[1] if len(arguments) > 1 and not arguments[1].startswith("-") else "default"
    drain = float(next(iter(options.get("--shutdown-timeout", ["0"]))))
    server = Server(model, options.get("--served-model-name", []), drain)
    host = options.get("--host", ["127.0.0.1"])[0]
    return asyncio.run(serve(server, host, int(options.get("--port", ["8000"])[0]), behaviour))


def _fails(behaviour: Behaviour) -> bool:
    if "fail-starts" not in behaviour:
        return True
    state = Path(os.environ["FAKE_VLLM_STATE"])
    starts = int(state.read_text()) if state.exists() else 0
    state.write_text(str(starts + 1))
    return starts < behaviour.number("fail-starts")


def _options(arguments: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    flag = ""
    for argument in arguments:
        if argument.startswith("--"):
            flag, equals, value = argument.partition("=")
            found[flag] = [value] if equals else []
        else:
            found.setdefault(flag, []).append(argument)
    return found


if __name__ == "__main__":
    sys.exit(main())
