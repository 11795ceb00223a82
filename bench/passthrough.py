"""`python -m bench.passthrough`: a plain handler, which yields each chunk as it comes."""

from __future__ import annotations

import codecs
import os
from collections.abc import AsyncGenerator
from typing import Any

from aiohttp import ClientSession, ClientTimeout

from bench.handler_file import serve


async def handler(job: dict[str, Any]) -> AsyncGenerator[Any, None]:
    """While the SDK posts a chunk, what the engine sends piles up to the next one."""
    asked = job["input"]
    url = os.environ["ENGINE_URL"] + asked["openai_route"]
    async with (
        ClientSession(timeout=ClientTimeout(total=600)) as session,
        session.post(url, json=asked["openai_input"]) as response,
    ):
        response.raise_for_status()
        if not asked["openai_input"].get("stream"):
            yield await response.json()
            return
        decoder = codecs.getincrementaldecoder("utf-8")()
        async for chunk in response.content.iter_any():
            if text := decoder.decode(chunk):
                yield text


if __name__ == "__main__":
    serve(handler)
