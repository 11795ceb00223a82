"""`/_emulator/`: what happened, and what is to go wrong. For tests; the platform has none of it."""

from __future__ import annotations

import dataclasses
import json

from aiohttp import web

from tests.emulator.jobs import Job
from tests.emulator.public import find
from tests.emulator.refusal import refusal
from tests.emulator.world import WORLD


def routes() -> list[web.RouteDef]:
    """The tests' own routes."""
    return [
        web.get("/_emulator/jobs/{job}", job),
        web.post("/_emulator/jobs", jobs),
        web.post("/_emulator/raw/{id}", raw_job),
        web.get("/_emulator/workers", workers),
        web.get("/_emulator/log", log),
        web.post("/_emulator/faults", add_fault),
        web.delete("/_emulator/faults", clear_faults),
        web.post("/_emulator/cut", cut),
        web.get("/_emulator/cut", cut_so_far),
    ]


async def job(request: web.Request) -> web.Response:
    """Everything about one job; `at` is the monotonic clock of this machine."""
    return web.json_response(find(request).known())


async def jobs(request: web.Request) -> web.Response:
    """Everything about the jobs whose ids the body lists; null for one that is not known."""
    known = request.app[WORLD].queue.jobs
    found = [known.get(name) for name in json.loads(await request.read())]
    return web.json_response([one and one.known() for one in found])


async def raw_job(request: web.Request) -> web.Response:
    """Submit a job that a worker gets as it stands: the body, whatever is in it."""
    job = Job(None, id=request.match_info["id"], raw=await request.read())
    request.app[WORLD].submit(job)
    return web.json_response({"id": job.id})


async def workers(request: web.Request) -> web.Response:
    """What is known of each worker, by name."""
    known = request.app[WORLD].workers
    return web.json_response({name: dataclasses.asdict(one) for name, one in known.items()})


async def log(request: web.Request) -> web.Response:
    """The last 10,000 requests of workers, oldest first."""
    return web.json_response([dataclasses.asdict(call) for call in request.app[WORLD].log])


async def add_fault(request: web.Request) -> web.Response:
    """Add a fault: {"path", "status"?, "times"?, "close"?, "delay_ms"?}."""
    try:
        request.app[WORLD].faults.add(json.loads(await request.read()))
    except ValueError as reason:
        raise refusal(400, str(reason)) from None
    return web.json_response({})


async def clear_faults(request: web.Request) -> web.Response:
    """Nothing goes wrong any more."""
    request.app[WORLD].faults.clear()
    return web.json_response({})


async def cut(request: web.Request) -> web.Response:
    """Cut workers' connections: {"workers": [names], "seconds": for which none comes through}."""
    asked = json.loads(await request.read())
    count = request.app[WORLD].connections.cut(asked["workers"], asked["seconds"])
    return web.json_response({"connections": count})


async def cut_so_far(request: web.Request) -> web.Response:
    """The workers that were cut: seconds until they were heard again, null: not yet."""
    return web.json_response(request.app[WORLD].connections.told())
