"""A request as its engine takes it: nothing of it is left out without a word. Pure.

What an engine knows is asked of it only where a request has something that not all of them know.
"""

from __future__ import annotations

from typing import Protocol

from proxy.request import dropped, unknown
from proxy.request.forms import Request
from proxy.request.schema import Schema
from proxy.request.unknown import Settled


class Engine(Protocol):
    """What is asked of an engine; see `proxy.engine`."""

    async def version(self) -> str | None:
        """The version of vLLM; None where it does not say."""

    async def schema(self) -> Schema | None:
        """What it says of its routes; None where it serves no schema."""


async def settled(request: Request, engine: Engine, *, strict: bool) -> Settled:
    """The request to send, and what is to be said of it in the log.

    Args:
        request: as the job asks for it.
        engine: that is to answer it.
        strict: whether each name that the engine does not know is an error.

    Raises:
        InvalidInput: a parameter would have no effect, or the method is not the route's.
        JobError: the engine was not reached.
    """
    if dropped.suspects(request.route, request.body):
        request = request.with_body(dropped.settle(request.body, await engine.version()))
    schema = await engine.schema() if unknown.needs_schema(request) else None
    return unknown.settle(request, schema, strict=strict)
