"""The public API: what users of an endpoint call."""

from __future__ import annotations

import json
import time
from typing import Any

from aiohttp import web

from tests.emulator.jobs import Job, Policy, State
from tests.emulator.refusal import RUN_MOST, RUNSYNC_MOST, read_or_refuse, refusal
from tests.emulator.world import WORLD

_RUNSYNC_WAIT = 90.0  # seconds: the platform's
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


async def run(request: web.Request) -> web.Response:
    """Submit and return at once."""
    job = request.app[WORLD].submit(await _job(request, RUN_MOST))
    return _state(job)


async def runsync(request: web.Request) -> web.Response:
    """Submit and wait `?wait=` milliseconds; the state so far where it takes longer."""
    try:
        end = time.monotonic() + float(request.query.get("wait", _RUNSYNC_WAIT * 1000)) / 1000
    except ValueError:
        raise refusal(400, "wait is no number of milliseconds") from None
    job = request.app[WORLD].submit(await _job(request, RUNSYNC_MOST))
    while not job.ended and await job.change.wait(end - time.monotonic()):
        pass
    return web.json_response(job.shown_to_users())


async def stream(request: web.Request) -> web.Response:
    """What has come since the last call; waits a little where nothing has."""
    job = find(request)
    job.streamed = True
    end = time.monotonic() + _STREAM_WAIT
    while job.shown == len(job.posts) and not job.ended:
        if not await job.change.wait(end - time.monotonic()):
            break
    news = [{"output": output} for output in job.outputs(job.shown)]
    job.shown = len(job.posts)
    return web.json_response({"status": str(job.state), "stream": news})


async def status(request: web.Request) -> web.Response:
    """The state of a job."""
    return web.json_response(find(request).shown_to_users())


async def cancel(request: web.Request) -> web.Response:
    """Stop a job wherever it is."""
    job = find(request)
    request.app[WORLD].queue.stop(job, State.CANCELLED)
    return _state(job)


async def retry(request: web.Request) -> web.Response:
    """Run a failed or timed-out job again."""
    job = find(request)
    if job.state not in {State.FAILED, State.TIMED_OUT}:
        raise refusal(400, f"job is {job.state}; only failed and timed-out jobs can be retried")
    request.app[WORLD].queue.retry(job)
    return _state(job)


async def purge(request: web.Request) -> web.Response:
    """Cancel what waits."""
    return web.json_response({"removed": request.app[WORLD].queue.purge(), "status": "completed"})


async def health(request: web.Request) -> web.Response:
    """Counts of jobs and workers."""
    return web.json_response(request.app[WORLD].health())


def find(request: web.Request) -> Job:
    """The job that the path names."""
    job = request.app[WORLD].queue.jobs.get(request.match_info["job"])
    if job is None:
        raise refusal(404, "job not found")
    return job


def _state(job: Job) -> web.Response:
    return web.json_response({"id": job.id, "status": str(job.state)})


async def _job(request: web.Request, most: int) -> Job:
    text = await read_or_refuse(request, most)
    try:
        body = json.loads(text)
    except ValueError:
        raise refusal(400, "the body is not JSON") from None
    if not isinstance(body, dict) or "input" not in body:
        raise refusal(400, "the body is not a JSON object with an input")
    webhook = body.get("webhook")
    if webhook is not None and not isinstance(webhook, str):
        raise refusal(400, "webhook is no URL")
    return Job(body["input"], _policy(body.get("policy")), webhook)


def _policy(asked: Any) -> Policy:
    """The job's limits, from milliseconds."""
    if asked is None:
        return Policy()
    if not isinstance(asked, dict):
        raise refusal(400, "policy is not a JSON object")
    default = Policy()
    return Policy(
        _seconds(asked, "executionTimeout", default.execution_timeout),
        _seconds(asked, "ttl", default.ttl),
    )


def _seconds(asked: dict[str, Any], name: str, default: float) -> float:
    value = asked.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise refusal(400, f"policy.{name} is no positive number of milliseconds")
    return value / 1000
