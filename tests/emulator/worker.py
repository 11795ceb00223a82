"""The SDK's protocol: what a worker calls."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from tests.emulator.jobs import Job, State, contents
from tests.emulator.refusal import RESULT_MOST, STREAM_MOST, TooLargeError, read, refusal
from tests.emulator.world import WORLD, Call, World

_Answer = Callable[[World, web.Request, str], Awaitable[web.StreamResponse]]
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(prefix: str) -> list[web.RouteDef]:
    """The routes under `/v2/ENDPOINT`."""

    def get(kind: str, answer: _Answer) -> web.RouteDef:
        path = f"{prefix}/{kind}/{{worker}}"
        return web.get(path, _bordered(kind, answer), allow_head=False)

    def post(kind: str, answer: _Answer) -> web.RouteDef:
        return web.post(f"{prefix}/{kind}/{{worker}}/{{job}}", _bordered(kind, answer))

    return [
        post("job-stream", stream),
        post("job-done", done),
        get("job-take", take),
        get("job-take-batch", take_batch),
        get("job-stop", stops),
        get("ping", ping),
    ]


async def take(world: World, request: web.Request, worker: str) -> web.StreamResponse:
    """Hand out one job, as an object."""
    return await _take(world, request, worker, 1, lambda found: found[0])


async def take_batch(world: World, request: web.Request, worker: str) -> web.StreamResponse:
    """Hand out up to `batch_size` jobs, as a list."""
    try:
        most = max(1, int(request.query.get("batch_size", "1")))
    except ValueError:
        raise refusal(400, "batch_size is no number") from None
    return await _take(world, request, worker, most, lambda found: b"[%b]" % b",".join(found))


async def stops(world: World, request: web.Request, worker: str) -> web.StreamResponse:
    """Tell a worker which of its jobs to stop."""
    found = await world.queue.stops(worker, world.settings.poll)
    if not found:
        return web.Response(status=204)
    try:
        return await _deliver(world, request, json.dumps({"jobsToStop": found}).encode())
    except (ConnectionError, asyncio.CancelledError):
        world.queue.put_back_stops(worker, found)
        raise


async def stream(world: World, request: web.Request, _: str) -> web.StreamResponse:
    """One output of a job that streams."""
    job = world.queue.jobs.get(request.match_info["job"])
    body = await _read(request, job, STREAM_MOST)
    if job is not None:
        job.receive(body)
    return web.Response()


async def done(world: World, request: web.Request, _: str) -> web.StreamResponse:
    """The end of a job. One that has ended already stays as it is, and the report is counted."""
    job = world.queue.jobs.get(request.match_info["job"])
    body = await _read(request, job, RESULT_MOST)
    if job is not None:
        job.done += 1
        result = contents(body)
        if error := result.get("error"):
            text = error if isinstance(error, str) else json.dumps(error)
            world.queue.finish(job, State.FAILED, error=text)
        else:
            world.queue.finish(job, State.COMPLETED, output=result.get("output"))
    return web.Response()


async def ping(world: World, request: web.Request, worker: str) -> web.StreamResponse:
    """A worker is alive, or says what it suffers from (`status=unhealthy&check=&reason=`)."""
    known = world.workers[worker]
    known.pings += 1
    known.last_ping, known.parameters = time.monotonic(), dict(request.query)
    if known.parameters.get("status") == "unhealthy":
        known.unhealthy.append(known.parameters)
    return web.Response()


def _bordered(kind: str, answer: _Answer) -> _Handler:
    """Around every request: half the round trip each way, the log, the key, the faults."""

    async def handle(request: web.Request) -> web.StreamResponse:
        world = request.app[WORLD]
        name, job = request.match_info["worker"], request.match_info.get("job")
        query = request.rel_url.raw_query_string
        call = Call(time.monotonic(), time.time(), request.method, kind, name, job, query)
        world.log.append(call)
        if world.connections.refuses(name, request.transport):
            return await _nobody_is_there()
        await _half_a_round_trip(world)
        try:
            response = await _checked(kind, answer, world, request)
        except web.HTTPException as reason:
            response = web.Response(
                status=reason.status, text=reason.text, content_type="application/json"
            )
        except ConnectionError:
            return web.Response()  # nobody reads it
        if not response.prepared:
            await _half_a_round_trip(world)
        call.status = response.status
        return response

    return handle


async def _checked(
    kind: str, answer: _Answer, world: World, request: web.Request
) -> web.StreamResponse:
    if request.headers.get("Authorization") != world.settings.api_key:
        raise refusal(401, "this is not the worker's API key")
    name = request.match_info["worker"]
    known = world.seen(name)
    if kind.startswith("job-take"):
        known.polled = True
    if fault := world.faults.next(kind):
        if fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.close:
            await request.read()  # the request arrived, the answer does not
            if request.transport is not None:
                request.transport.abort()
            await _nobody_is_there()
        if fault.status is not None:
            await request.read()
            return web.json_response({"error": "asked for"}, status=fault.status)
    return await answer(world, request, name)


async def _take(
    world: World,
    request: web.Request,
    worker: str,
    most: int,
    form: Callable[[list[bytes]], bytes],
) -> web.StreamResponse:
    """A job leaves the queue only when its answer went into an open connection."""
    jobs = await world.queue.take(most, world.settings.poll)
    if not jobs:
        return web.Response(status=204)
    try:
        found = [job.for_workers() for job in jobs]
        response = await _deliver(world, request, form(found))
    except (ConnectionError, asyncio.CancelledError):
        for job in reversed(jobs):
            world.queue.put_back(job)
        raise
    world.seen(worker)
    for job in jobs:
        world.queue.taken(job, worker)
    return response


async def _deliver(world: World, request: web.Request, found: bytes) -> web.StreamResponse:
    """Send an answer that must not be lost; a ConnectionError where nobody is there for it."""
    response = web.Response(body=found, content_type="application/json")
    await _half_a_round_trip(world)
    # A client's end that has arrived, but that the loop has not read yet, takes it two turns.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    _see_that_it_is_open(request)
    await response.prepare(request)
    await response.write_eof()
    _see_that_it_is_open(request)
    return response


def _see_that_it_is_open(request: web.Request) -> None:
    if request.transport is None or request.transport.is_closing():
        raise ConnectionResetError("the worker has gone")


async def _nobody_is_there() -> web.StreamResponse:
    """Wait until the server ends what has lost its connection."""
    await asyncio.Event().wait()
    raise AssertionError


async def _half_a_round_trip(world: World) -> None:
    if world.settings.round_trip:
        await asyncio.sleep(world.settings.round_trip / 2)


async def _read(request: web.Request, job: Job | None, most: int) -> bytes:
    """The body; one over the platform's limit is recorded and refused."""
    try:
        return await read(request, most)
    except TooLargeError as reason:
        if job is not None:
            report = {"at": time.monotonic(), "path": request.path, "bytes": reason.size}
            job.refused.append(report)
        raise refusal(400, f"{reason.size} bytes; at most {most} are accepted here") from None
