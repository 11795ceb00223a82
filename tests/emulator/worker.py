"""The SDK's protocol: what a worker calls."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from tests.emulator.jobs import Job, Post, State
from tests.emulator.public import refusal
from tests.emulator.settings import WORLD, World

STREAM_MOST = 1_000_000  # bytes of one streamed output
RESULT_MOST = 20_000_000


def routes(prefix: str) -> list[web.RouteDef]:
    """The routes under `/v2/ENDPOINT`."""
    return [
        web.get(f"{prefix}/job-take/{{worker}}", take),
        web.get(f"{prefix}/job-take-batch/{{worker}}", take),
        web.get(f"{prefix}/job-stop/{{worker}}", stops),
        web.post(f"{prefix}/job-stream/{{worker}}/{{job}}", stream),
        web.post(f"{prefix}/job-done/{{worker}}/{{job}}", done),
        web.get(f"{prefix}/ping/{{worker}}", ping),
    ]


async def take(request: web.Request) -> web.StreamResponse:
    """Hand out jobs. One leaves the queue only when its answer went into an open connection."""
    world, worker = await _arrived(request)
    batch = "batch_size" in request.query
    most = int(request.query.get("batch_size", "1"))
    jobs = await world.queue.take(most, world.settings.poll)
    jobs = [job for job in jobs if not job.ended]
    if not jobs:
        return web.Response(status=204)
    content = [{"id": job.id, "input": job.input} for job in jobs]
    body = json.dumps(content if batch else content[0]).encode()
    response = web.Response(body=body, content_type="application/json")
    try:
        await asyncio.sleep(world.settings.round_trip / 2)
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError
        await response.prepare(request)
        await response.write_eof()
    except (OSError, asyncio.CancelledError):
        for job in reversed(jobs):
            world.queue.put_back(job)
        raise
    for job in jobs:
        world.queue.taken(job, worker)
    return response


async def stops(request: web.Request) -> web.Response:
    """Tell a worker which of its jobs to stop."""
    world, worker = await _arrived(request)
    found = await world.queue.stops(worker, world.settings.poll)
    if not found:
        return web.Response(status=204)
    return web.json_response({"jobsToStop": found})


async def stream(request: web.Request) -> web.Response:
    """One output of a job that streams."""
    world, _ = await _arrived(request)
    text = await request.read()
    if len(text) > STREAM_MOST:
        raise refusal(400, f"a streamed output of {len(text)} bytes; at most {STREAM_MOST}")
    job = world.queue.jobs.get(request.match_info["job"])
    if job is not None and not job.ended:
        keep = world.settings.keep_outputs
        output = json.loads(text).get("output") if keep else None
        job.posts.append(Post(time.monotonic(), len(text), output))
        job.touch()
    await asyncio.sleep(world.settings.round_trip / 2)
    return web.Response()


async def done(request: web.Request) -> web.Response:
    """The end of a job. A cancelled one stays cancelled."""
    world, _ = await _arrived(request)
    text = await request.read()
    if len(text) > RESULT_MOST:
        raise refusal(400, f"a result of {len(text)} bytes; at most {RESULT_MOST} are accepted")
    job = world.queue.jobs.get(request.match_info["job"])
    if job is not None:
        job.done += 1
        _finish(world, job, json.loads(text))
    await asyncio.sleep(world.settings.round_trip / 2)
    return web.Response()


async def ping(request: web.Request) -> web.Response:
    """A worker is alive, or says what it suffers from."""
    world, worker = await _arrived(request)
    world.pings[worker] = {"at": time.time(), **request.query}
    return web.Response()


def _finish(world: World, job: Job, result: dict[str, Any]) -> None:
    if error := result.get("error"):
        text = error if isinstance(error, str) else json.dumps(error)
        world.queue.finish(job, State.FAILED, error=text)
    else:
        world.queue.finish(job, State.COMPLETED, output=result.get("output"))


async def _arrived(request: web.Request) -> tuple[World, str]:
    """Half a round trip later: the key is checked and an injected fault happens."""
    world = request.app[WORLD]
    worker = request.match_info["worker"]
    world.last_seen[worker] = time.monotonic()
    if world.settings.round_trip:
        await asyncio.sleep(world.settings.round_trip / 2)
    if request.headers.get("Authorization") != world.settings.api_key:
        raise refusal(401, "wrong key")
    for fault in world.faults:
        if fault.times > 0 and f"/{fault.path}" in request.path:
            fault.times -= 1
            if fault.close and request.transport is not None:
                request.transport.abort()
            raise _injected(fault.status)
    return world, worker


def _injected(status: int) -> web.HTTPException:
    error = web.HTTPInternalServerError(text="injected")
    error.set_status(status)
    return error


async def watch_for_lost(application: web.Application) -> AsyncIterator[None]:
    """Give the jobs of a worker that says nothing any more to another one."""

    async def watch() -> None:
        world = application[WORLD]
        while True:
            await asyncio.sleep(1)
            limit = time.monotonic() - world.settings.worker_lost
            for worker, seen in list(world.last_seen.items()):
                if seen < limit:
                    del world.last_seen[worker]
                    world.queue.lose(worker)

    task = asyncio.create_task(watch())
    yield
    task.cancel()
