"""The public API: what users of an endpoint call."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from aiohttp import web

from tests.emulator.jobs import EXECUTION_TIMEOUT, Job, State
from tests.emulator.settings import WORLD

RUN_MOST = 10_000_000  # bytes
RUNSYNC_MOST = 20_000_000
_RUNSYNC_WAIT = 90.0  # seconds
_STREAM_WAIT = 1.0


def routes(prefix: str) -> list[web.RouteDef]:
    """The routes under `/v2/ENDPOINT`."""
    return [
        web.post(f"{prefix}/run", run),
        web.post(f"{prefix}/runsync", runsync),
        web.get(f"{prefix}/stream/{{job}}", stream),
        web.post(f"{prefix}/stream/{{job}}", stream),
        web.get(f"{prefix}/status/{{job}}", status),
        web.post(f"{prefix}/cancel/{{job}}", cancel),
        web.post(f"{prefix}/retry/{{job}}", retry),
        web.post(f"{prefix}/purge-queue", purge),
        web.get(f"{prefix}/health", health),
    ]


def shown(job: Job) -> dict[str, Any]:
    """A job as `status` and `runsync` show it; times in milliseconds."""
    found: dict[str, Any] = {"id": job.id, "status": str(job.state)}
    if job.taken_at is not None:
        found["delayTime"] = round((job.taken_at - job.queued_at) * 1000)
        found["workerId"] = job.worker
    if job.taken_at is not None and job.ended_at is not None:
        found["executionTime"] = round((job.ended_at - job.taken_at) * 1000)
    if job.state is State.COMPLETED:
        found["output"] = job.output
    if job.error is not None:
        found["error"] = job.error
    return found


async def run(request: web.Request) -> web.Response:
    """Submit and return at once."""
    job = request.app[WORLD].queue.submit(await _job(request, RUN_MOST))
    return web.json_response({"id": job.id, "status": str(job.state)})


async def runsync(request: web.Request) -> web.Response:
    """Submit and wait; the state so far where it takes too long."""
    job = request.app[WORLD].queue.submit(await _job(request, RUNSYNC_MOST))
    wait = float(request.query.get("wait", _RUNSYNC_WAIT * 1000)) / 1000
    end = time.monotonic() + wait
    while not job.ended and (left := end - time.monotonic()) > 0:
        await job.wait(left)
    return web.json_response(shown(job))


async def stream(request: web.Request) -> web.Response:
    """What has come since the last call; waits a little where nothing has."""
    job = find(request)
    end = time.monotonic() + _STREAM_WAIT
    while job.shown == len(job.posts) and not job.ended:
        if (left := end - time.monotonic()) <= 0:
            break
        await job.wait(left)
    news = [{"output": post.output} for post in job.posts[job.shown :]]
    job.shown = len(job.posts)
    return web.json_response({"status": str(job.state), "stream": news})


async def status(request: web.Request) -> web.Response:
    """The state of a job."""
    return web.json_response(shown(find(request)))


async def cancel(request: web.Request) -> web.Response:
    """Stop a job wherever it is."""
    job = find(request)
    request.app[WORLD].queue.stop(job, State.CANCELLED)
    return web.json_response({"id": job.id, "status": str(job.state)})


async def retry(request: web.Request) -> web.Response:
    """Run a failed or timed-out job again."""
    job = find(request)
    if job.state not in {State.FAILED, State.TIMED_OUT}:
        raise refusal(400, f"job is {job.state}; only failed and timed-out jobs can be retried")
    request.app[WORLD].queue.retry(job)
    return web.json_response({"id": job.id, "status": str(job.state)})


async def purge(request: web.Request) -> web.Response:
    """Cancel what waits."""
    removed = request.app[WORLD].queue.purge()
    return web.json_response({"removed": removed, "status": "completed"})


async def health(request: web.Request) -> web.Response:
    """Counts of jobs and workers."""
    world = request.app[WORLD]
    states = [job.state for job in world.queue.jobs.values()]
    busy = {job.worker for job in world.queue.jobs.values() if job.state is State.IN_PROGRESS}
    known = set(world.last_seen)
    return web.json_response(
        {
            "jobs": {
                "completed": states.count(State.COMPLETED),
                "failed": states.count(State.FAILED),
                "inProgress": states.count(State.IN_PROGRESS),
                "inQueue": states.count(State.IN_QUEUE),
                "retried": sum(job.redelivered for job in world.queue.jobs.values()),
            },
            "workers": {"idle": len(known - busy), "running": len(known & busy)},
        }
    )


def find(request: web.Request) -> Job:
    """The job that the path names."""
    job = request.app[WORLD].queue.jobs.get(request.match_info["job"])
    if job is None:
        raise refusal(404, "job not found")
    return job


def refusal(code: int, message: str) -> web.HTTPException:
    """An error of the platform."""
    kinds = {400: web.HTTPBadRequest, 401: web.HTTPUnauthorized, 404: web.HTTPNotFound}
    return kinds[code](text=json.dumps({"error": message}), content_type="application/json")


async def _job(request: web.Request, most: int) -> Job:
    text = await request.read()
    if len(text) > most:
        raise refusal(400, f"the body has {len(text)} bytes; at most {most} are accepted")
    try:
        body = json.loads(text)
        policy = body.get("policy") or {}
        timeout = float(policy.get("executionTimeout", EXECUTION_TIMEOUT * 1000)) / 1000
    except (ValueError, AttributeError):
        raise refusal(400, "the body is not a JSON object") from None
    if "input" not in body:
        raise refusal(400, "the body has no input")
    await asyncio.sleep(0)
    return Job(body["input"], timeout)
