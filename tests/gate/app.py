"""A server like vLLM's behind the gate: FastAPI's router under uvicorn, and vLLM's own check.

It is made as vLLM makes it: CORS innermost, its check around that, then what `--middleware` names,
of which the last one is outermost. Each route says that it was reached.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.datastructures import Headers

from gate.vllm_supervisor_gate import Gate

POSTS = (
    "/v1/chat/completions /v1/responses/resp_1/cancel /inference/v1/generate /v2/embed /invocations"
    " /tokenize /score /generative_scoring"
).split()
READS = "/v1/models /metrics-text /docs-text /load /version /is_sleeping".split()
ADMINISTRATION = (
    "/sleep /wake_up /pause /abort_requests /scale_elastic_ep /collective_rpc /reset_prefix_cache"
    " /v1/load_lora_adapter /v1/unload_lora_adapter /inference/v1/abort_requests /update_weights"
    " /adapters /start_profile"
).split()

app = FastAPI(docs_url=None, redoc_url=None)
app.root_path = os.environ.get("ROOT", "")
_go = asyncio.Event()


def _route(method: str, path: str) -> None:
    async def reached(request: Request) -> dict[str, Any]:
        body = await request.body()
        shown = {name: request.headers.getlist(name) for name in ("authorization", "x-api-key")}
        return {"reached": path, "bytes": len(body), **shown}

    app.add_api_route(path, reached, methods=[method])


for each in POSTS:
    _route("POST", each)
for each in READS:
    _route("GET", each)
for each in ADMINISTRATION:
    _route("POST", each)
_route("GET", "/server_info")
_route("DELETE", "/adapters/one")


@app.api_route("/health", methods=["GET"])
@app.api_route("/ping", methods=["GET", "POST"])
async def _health() -> Response:
    return Response()


async def _metrics(scope: Any, receive: Any, send: Any) -> None:
    """As prometheus_client's: whatever the method is."""
    await Response("reached /metrics")(scope, receive, send)


app.mount("/metrics", _metrics)


@app.post("/v1/stream")
async def _stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        _go.clear()
        yield "data: 1\n\n"
        await _go.wait()
        yield "data: 2\n\n"

    return StreamingResponse(parts(), media_type="text/event-stream")


@app.post("/v1/go")
async def _release() -> None:
    _go.set()


@app.websocket("/v1/realtime")
async def _talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(f"you said {await socket.receive_text()}")
    await socket.close()


@app.websocket("/console")
async def _console(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("reached /console")


class _Own:
    """As vLLM 0.32 checks a key by itself."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        whole = scope["type"] not in {"http", "websocket"} or scope.get("method") == "OPTIONS"
        if not whole and scope["path"].removeprefix(scope.get("root_path", "")).startswith("/v1"):
            shown = Headers(scope=scope).get("Authorization")
            if shown != f"Bearer {os.environ['VLLM_API_KEY']}":
                refused = JSONResponse({"error": "Unauthorized"}, status_code=401)
                return refused(scope, receive, send)
        return self.app(scope, receive, send)  # type: ignore[no-any-return]


async def users(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """A middleware of the user's own: an alias, and a word in each answer."""
    if request.scope["path"] == "/alias":
        request.scope["path"] = "/sleep"
    answer = await call_next(request)
    answer.headers["x-users"] = request.headers.get("authorization", "none")
    return answer


app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
app.add_middleware(_Own)
app.add_middleware(Gate)
if os.environ.get("USERS"):
    app.middleware("http")(users)
