"""`python -m bench.around.engine RATE`: chat completions at RATE tokens/s each, as vLLM would.

In a stream one token per event, each in a TCP write of its own; otherwise all in one answer when
the last one is due. The content of a token says when it was sent, and a whole answer how long it
took. Whatever else is asked with GET is answered with 200, so that a proxy finds the engine ready.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

from bench.around.wire import Connection, listen
from bench.load import MODEL

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_MODELS = json.dumps(
    {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "vllm"}]}
).encode()


class Stream:
    """The answer to one request, written token by token from the loop's timer."""

    def __init__(self, transport: asyncio.Transport, rate: float, asked: dict[str, Any]) -> None:
        self._transport = transport
        self._tokens = int(asked.get("max_tokens") or 16)
        self._ids = bool(asked.get("return_token_ids"))
        self._prefix = (
            f'data: {{"id":"chatcmpl-{os.urandom(16).hex()}","object":"chat.completion.chunk",'
            f'"created":{int(time.time())},"model":"{MODEL}","choices":[{{"index":0,"delta":'
        ).encode()
        self._interval = 1 / rate
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + self._interval
        self._number = 0
        transport.write(_HEAD)
        self._timer = self._loop.call_at(self._due, self._first)

    def abort(self) -> None:
        """The client is gone."""
        self._timer.cancel()

    def _first(self) -> None:
        role = b'{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n'
        self._write(self._prefix + role)
        self._next()

    def _next(self) -> None:
        number = self._number
        last = number + 1 == self._tokens
        reason = b'"length"' if last else b"null"
        ids = b',"token_ids":[%d]' % number if self._ids else b""
        self._write(
            b'%b{"content":" ~%d:%d~"},"logprobs":null,"finish_reason":%b%b}]}\n\n'
            % (self._prefix, number, time.monotonic_ns(), reason, ids)
        )
        self._number += 1
        if last:
            self._transport.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
            return
        self._due += self._interval
        self._timer = self._loop.call_at(self._due, self._next)

    def _write(self, event: bytes) -> None:
        self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))


class Engine(Connection):
    """A connection of the worker."""

    rate = 50.0
    _stream: Stream | None = None
    _timer: asyncio.TimerHandle | None = None

    def request(self, method: str, target: str, body: bytes) -> None:
        """See Connection."""
        if method == "POST" and target == "/v1/chat/completions":
            asked = json.loads(body)
            if asked.get("stream"):
                self._stream = Stream(self.transport, self.rate, asked)
            else:
                self._whole(int(asked.get("max_tokens") or 16))
        elif method == "POST":
            self.answer(404, b'{"detail":"Not Found"}')
        else:
            self.answer(200, _MODELS)

    def connection_lost(self, _: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._stream:
            self._stream.abort()
        if self._timer:
            self._timer.cancel()

    def _whole(self, tokens: int) -> None:
        begun = time.monotonic_ns()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(tokens / self.rate, self._send_whole, tokens, begun)

    def _send_whole(self, tokens: int, begun: int) -> None:
        now = time.monotonic_ns()
        marks = "".join(f" ~{number}:{now}~" for number in range(tokens))
        message = {"role": "assistant", "content": f"{marks} ={now - begun}="}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "length"}
        usage = {"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": 9 + tokens}
        body = {
            "id": f"chatcmpl-{os.urandom(16).hex()}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": MODEL,
            "choices": [choice],
            "usage": usage,
        }
        self.answer(200, json.dumps(body).encode())


if __name__ == "__main__":
    Engine.rate = float(sys.argv[1])
    listen(Engine)
