"""`python -m bench.passthrough`: a plain handler, which yields each chunk as it comes."""

from __future__ import annotations

import codecs
from collections.abc import AsyncGenerator
from typing import Any

from bench.handler import opened, serve


async def handler(job: dict[str, Any]) -> AsyncGenerator[str, None]:
    """While the SDK posts a chunk, what the engine sends piles up to the next one."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    async with opened(job) as response:
        async for chunk in response.content.iter_any():
            if text := decoder.decode(chunk):
                yield text


if __name__ == "__main__":
    serve(handler)
