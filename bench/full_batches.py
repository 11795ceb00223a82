"""`python -m bench.full_batches`: a handler that yields a batch only when it is full.

Batches grow as 1, 3, 9, 27, 50, 50, ... tokens, without a limit on how long a token may wait.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from bench.handler import opened, serve

FIRST, GROWTH, LARGEST = 1, 3, 50  # tokens, factor, tokens


async def handler(job: dict[str, Any]) -> AsyncGenerator[str, None]:
    """Events are counted as tokens; the first one, which names the role, goes with the next."""
    size, batch, count = FIRST, "", -1
    async with opened(job) as response:
        async for line in response.content:
            batch += line.decode()
            if line != b"\n":
                continue
            count += 1
            if count >= size:
                yield batch
                size, batch, count = min(size * GROWTH, LARGEST), "", 0
    if batch:
        yield batch


if __name__ == "__main__":
    serve(handler)
