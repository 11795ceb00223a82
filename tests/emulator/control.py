"""`/_emulator/`: what happened, and what is to go wrong."""

from __future__ import annotations

import dataclasses

from aiohttp import web

from tests.emulator.public import find, shown
from tests.emulator.settings import WORLD, Fault


def routes() -> list[web.RouteDef]:
    """The tests' own routes."""
    return [
        web.get("/_emulator/jobs/{job}", job),
        web.get("/_emulator/workers", workers),
        web.post("/_emulator/faults", faults),
    ]


async def job(request: web.Request) -> web.Response:
    """Everything about one job; `at` is the monotonic clock of this machine."""
    found = find(request)
    posts = [dataclasses.asdict(post) for post in found.posts]
    more = {"posts": posts, "done": found.done, "redelivered": found.redelivered}
    return web.json_response({**shown(found), **more})


async def workers(request: web.Request) -> web.Response:
    """The last ping of each worker."""
    return web.json_response(request.app[WORLD].pings)


async def faults(request: web.Request) -> web.Response:
    """Add a fault: {"path", "status", "times", "close"}."""
    request.app[WORLD].faults.append(Fault(**await request.json()))
    return web.Response()
