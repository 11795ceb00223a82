"""The gate: asks each request to vLLM's server for a key. ASGI middleware, for `--middleware`.

vLLM's own key closes `/v1`, `/v2`, `/inference` and `/cohere` alone. This file stands before all of
it, in the engine's own server, so that no request takes a hop more. It is run by whatever Python
and whatever vLLM the image has: the standard library alone, and nothing newer than Python 3.9.

The worker writes what it has to know into the environment (`supervisor.command.doors.gate`):

    VLLM_API_KEY         the key that vLLM's own check knows
    GATE_SECRET_DIGESTS  SHA-256 of each key that opens, in hexadecimal, parted by commas
    GATE_ROUTES          routes of administration that are open to a key, parted by commas
    GATE_BODY_BYTES      the largest body of a request
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

#: What platforms, balancers and the worker itself ask, and says nothing but whether it serves.
OPEN = frozenset({"/health", "/ping"})

#: Under these vLLM has what works for a caller, in every version something more.
_APIS = ("/v1/", "/v2/", "/inference/", "/cohere/")
#: What works for a caller elsewhere. Every other route that is no reading is administration.
_INFERENCE = frozenset(
    "/invocations /tokenize /detokenize /score /rerank /pooling /classify /generative_scoring"
    " /ping".split()
)
#: Administration under these, and what tells more of the machine than a caller has to know.
_ADMINISTRATION = frozenset(
    "load_lora_adapter unload_lora_adapter abort_requests server_info".split()
)
_READING = frozenset({"GET", "HEAD"})
#: A router's pattern ends before a line break at the end of a path, too: `/sleep%0A` is /sleep.
_NO_PATH = re.compile(r"[\x00-\x20\x7f]")


class Gate:
    """Lets through who shows a key, and gives the request on with vLLM's own.

    `app` is behind it, `environ` as above. Raises RuntimeError where it has no key to ask for:
    nothing is to be open by an error.
    """

    def __init__(self, app: App, environ: Mapping[str, str] = os.environ) -> None:
        self._app = app
        digests = list(filter(None, environ.get("GATE_SECRET_DIGESTS", "").split(",")))
        own = environ.get("VLLM_API_KEY", "")
        if not digests or not own:
            raise RuntimeError("no key to ask for: see VLLM_API_KEY and GATE_SECRET_DIGESTS")
        self._digests = [bytes.fromhex(digest) for digest in digests]
        self._own = f"Bearer {own}".encode("latin-1")
        self._routes = frozenset(environ.get("GATE_ROUTES", "").split(",")) - {""}
        self._most = int(environ.get("GATE_BODY_BYTES", "") or 64 << 20)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Take one connection of the server's, as ASGI has it."""
        kind = scope["type"]
        if kind == "http":
            return self._request(scope, receive, send)
        if kind == "websocket":
            return self._socket(scope, receive, send)
        return self._app(scope, receive, send)  # the server's own start and end

    def _request(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        headers: Headers = scope["headers"]
        path = _path(scope)
        if scope["method"] == "OPTIONS":
            # A browser asks so before it sends the key. vLLM answers that before any route has it;
            # another OPTIONS reaches routes, and some (/metrics) answer it as a GET.
            if not _is_preflight(headers):
                return _answer(send, 204, allow="GET, HEAD, POST, OPTIONS")
        elif path not in OPEN:
            if not self._known(headers):
                return _answer(send, 401, *_NO_KEY, www_authenticate="Bearer")
            if self._is_administration(scope["method"], path, scope["path"]):
                return _answer(send, 403, *_NOT_OFFERED)
            scope = self._with_own_key(scope)
        length = _length(headers)
        if length is None:
            return _Counted(self._most, receive, send).run(self._app, scope)
        if length > self._most:
            return _answer(send, 413, *_too_large(self._most))
        return self._app(scope, receive, send)

    def _socket(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if not self._known(scope["headers"]):
            return _close(scope, receive, send, 401, *_NO_KEY)
        if self._is_administration("", _path(scope), scope["path"]):
            return _close(scope, receive, send, 403, *_NOT_OFFERED)
        return self._app(self._with_own_key(scope), receive, send)

    def _known(self, headers: Headers) -> bool:
        """Whether one of the keys is shown; in a time that tells nothing of any key."""
        found = False
        for shown in _shown(headers):
            digest = hashlib.sha256(shown).digest()
            for known in self._digests:
                found |= hmac.compare_digest(digest, known)
        return found

    def _is_administration(self, method: str, path: str, whole: str) -> bool:
        """Whether nobody may ask for it unless it is named. `whole` is the path with its root."""
        if path in self._routes:
            return False
        if any(_last(each) in _ADMINISTRATION for each in (path, whole)):
            return True
        if method in _READING or path.startswith(_APIS):
            return False
        return path not in _INFERENCE

    def _with_own_key(self, scope: Scope) -> Scope:
        """`scope` as vLLM's own check takes it, which knows one key and one header.

        It stays the very same object where that key was shown so: what others write into it
        reaches those outside.
        """
        headers: Headers = scope["headers"]
        first = next((value for name, value in headers if name == b"authorization"), b"")
        if hmac.compare_digest(first, self._own):
            return scope
        kept = [pair for pair in headers if pair[0] not in (b"authorization", b"x-api-key")]
        return {**scope, "headers": [*kept, (b"authorization", self._own)]}


def _shown(headers: Headers) -> Iterator[bytes]:
    """The keys that a request shows."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, key = value.partition(b" ")
            if scheme.lower() == b"bearer":
                yield key.strip()
        elif name == b"x-api-key":
            yield value.strip()


def _path(scope: Scope) -> str:
    """The path as vLLM's router looks it up: decoded, without the root under which it is served."""
    path: str = scope["path"]
    root: str = scope.get("root_path") or ""
    if root and path.startswith(root) and path[len(root) :][:1] in ("", "/"):
        return path[len(root) :]
    return path


def _last(path: str) -> str:
    """The last part of a path, however it is spelt."""
    return _NO_PATH.sub("", path).rstrip("/").rpartition("/")[2].lower()


def _is_preflight(headers: Headers) -> bool:
    return {name for name, _ in headers} >= {b"origin", b"access-control-request-method"}


def _length(headers: Headers) -> int | None:
    """How many bytes the body has; None where only its end tells."""
    length = None
    for name, value in headers:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length" and value.isdigit():
            length = max(int(value.lstrip(b"0")[:20] or b"0"), length or 0)
    return length


class _Counted:
    """One request whose body is counted while it is read."""

    def __init__(self, most: int, receive: Receive, send: Send) -> None:
        self._most = most
        self._left = most
        self._receive = receive
        self._send = send
        self._began = False  # the answer
        self._refused = False

    async def run(self, app: App, scope: Scope) -> None:
        try:
            await app(scope, self._count, self._pass_on)
        except Exception:
            if not self._refused:  # else it is about the body that has not come
                raise

    async def _count(self) -> dict[str, Any]:
        if self._refused:
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self._refused = self._left < 0
        if not self._refused:
            return message
        if not self._began:
            await _answer(self._send, 413, *_too_large(self._most))
        return {"type": "http.disconnect"}

    async def _pass_on(self, message: dict[str, Any]) -> None:
        if not self._refused or self._began:
            self._began = True
            await self._send(message)


_NO_KEY = ("authentication_error", "show a key: Authorization: Bearer KEY, or X-API-Key: KEY")
_NOT_OFFERED = ("permission_error", "this route is not offered; ALLOWED_ROUTES can add it")


def _too_large(most: int) -> tuple[str, str]:
    said = f"the body is larger than {most / (1 << 20):g} MB; GATE_BODY_MB sets the limit"
    return "invalid_request_error", said


def _error(status: int, kind: str, message: str) -> bytes:
    """The body of an error, as OpenAI's clients read it."""
    error = {"message": message, "type": kind, "param": None, "code": status}
    return json.dumps({"error": error}).encode()


async def _answer(send: Send, status: int, kind: str = "", message: str = "", **more: str) -> None:
    body = _error(status, kind, message) if kind else b""
    headers = [(name.replace("_", "-").encode(), text.encode()) for name, text in more.items()]
    if body:
        length = str(len(body)).encode()
        headers += [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _close(
    scope: Scope, receive: Receive, send: Send, status: int, kind: str, message: str
) -> None:
    """Refuse a websocket before it is one; a server that can tells why, others answer 403."""
    await receive()  # that somebody connects
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008, "reason": message})
        return
    body = _error(status, kind, message)
    head = {"status": status, "headers": [(b"content-type", b"application/json")]}
    await send({"type": "websocket.http.response.start", **head})
    await send({"type": "websocket.http.response.body", "body": body})
