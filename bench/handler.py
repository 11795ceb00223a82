"""What the handlers that the proxy is compared with have in common: the SDK and the engine."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse, ClientSession, ClientTimeout

Handler = Callable[[dict[str, Any]], AsyncGenerator[str, None]]


@asynccontextmanager
async def opened(job: dict[str, Any]) -> AsyncIterator[ClientResponse]:
    """The engine's answer to a job, with a session of its own for each job."""
    asked = job["input"]
    url = os.environ["ENGINE_URL"] + asked["openai_route"]
    async with (
        ClientSession(timeout=ClientTimeout(total=600)) as session,
        session.post(url, json=asked["openai_input"]) as response,
    ):
        response.raise_for_status()
        yield response


def serve(handler: Handler) -> None:
    """Take jobs until told to stop, quietly."""
    os.environ.setdefault("RUNPOD_LOG_LEVEL", "WARN")
    os.environ.setdefault("RUNPOD_SKIP_GPU_CHECK", "true")
    os.environ.setdefault("RUNPOD_SKIP_AUTO_SYSTEM_CHECKS", "true")
    import runpod

    concurrency = int(os.environ.get("MAX_CONCURRENCY", "300"))
    runpod.serverless.start(
        {
            "handler": handler,
            "concurrency_modifier": lambda _: concurrency,
            "return_aggregate_stream": True,
        }
    )
