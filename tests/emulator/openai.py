"""`/openai/v1/...`: an OpenAI client's request becomes a job, and its outputs the answer."""

from __future__ import annotations

import json
import time
from typing import Any

from aiohttp import web

from tests.emulator.jobs import Job, State
from tests.emulator.public import refusal
from tests.emulator.settings import WORLD

_ERROR_END_WAIT = 5.0  # seconds between a stream's error event and the end of its job


async def relay(request: web.Request) -> web.StreamResponse:
    """Any method and any path below `/openai`."""
    body = await _body(request)
    route = "/" + request.match_info["route"]
    job = request.app[WORLD].queue.submit(Job({"openai_route": route, "openai_input": body}))
    try:
        if body and body.get("stream") is True:
            return await _stream(request, job)
        return await _answer(job)
    finally:
        if not job.ended:  # the client has gone
            request.app[WORLD].queue.stop(job, State.CANCELLED)


async def _answer(job: Job) -> web.Response:
    while not job.ended:
        await job.wait(60)
    if job.state is not State.COMPLETED:
        return _error(job)
    outputs = job.output if isinstance(job.output, list) else [job.output]
    return web.json_response(outputs[0] if outputs else None)


async def _stream(request: web.Request, job: Job) -> web.StreamResponse:
    """The outputs as they come. The head waits for the first: a status cannot be taken back."""
    while not job.posts and not job.ended:
        await job.wait(60)
    if not job.posts and job.state is not State.COMPLETED:
        return _error(job)
    if job.posts and str(job.posts[0].output).startswith('data: {"error"'):
        end = time.monotonic() + _ERROR_END_WAIT
        while not job.ended and time.monotonic() < end:
            await job.wait(0.1)
        if job.state is State.FAILED:
            return _error(job)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    sent = 0
    while True:
        for post in job.posts[sent:]:
            await response.write(str(post.output).encode())
        sent = len(job.posts)
        if job.ended:
            return response
        await job.wait(60)


def _error(job: Job) -> web.Response:
    """A job's error as an OpenAI error, with the status that it names."""
    error: dict[str, Any] = {
        "message": job.error or f"the job ended as {job.state}",
        "type": "worker_error",
        "param": None,
        "code": 500,
    }
    try:
        found = json.loads(job.error or "")
        error = found.get("error", found) if isinstance(found, dict) else error
    except ValueError:
        pass
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code <= 599 else 500
    return web.json_response({"error": error}, status=status)


async def _body(request: web.Request) -> dict[str, Any] | None:
    text = await request.read()
    if not text:
        return None
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise refusal(400, "the body is not a JSON object")
    return body
