"""Reading bodies within the platform's limits, and the errors that say what was wrong."""

from __future__ import annotations

import json

from aiohttp import web

# Bytes, as the platform documents them.
RUN_MOST = 10_000_000
RUNSYNC_MOST = 20_000_000
STREAM_MOST = 1_000_000
RESULT_MOST = 20_000_000

_KINDS = {400: web.HTTPBadRequest, 401: web.HTTPUnauthorized, 404: web.HTTPNotFound}


def refusal(code: int, message: str) -> web.HTTPException:
    """An error of the platform, as JSON."""
    return _KINDS[code](text=json.dumps({"error": message}), content_type="application/json")


class TooLargeError(Exception):
    """A body over its limit; `size` in bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


async def read(request: web.Request, most: int) -> bytes:
    """The body of at most `most` bytes.

    A larger one is read to its end and dropped, so that its sender sees the answer and not a
    broken connection. Raises TooLargeError.
    """
    if (request.content_length or most + 1) <= most:
        return await request.read()
    kept = bytearray()
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size <= most:
            kept += chunk
    if size > most:
        raise TooLargeError(size)
    return bytes(kept)


async def read_or_refuse(request: web.Request, most: int) -> bytes:
    """As `read`, for users: too large is a 400 that says so."""
    try:
        return await read(request, most)
    except TooLargeError as reason:
        raise refusal(
            400, f"the body has {reason.size} bytes; at most {most} are accepted here"
        ) from None
