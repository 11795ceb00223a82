"""`/openai/v1/...`: an OpenAI client's request becomes a job, and its outputs the answer."""

from __future__ import annotations

import json
import time
from typing import Any

from aiohttp import web

from tests.emulator.jobs import Job, State
from tests.emulator.refusal import RUNSYNC_MOST, read_or_refuse, refusal
from tests.emulator.world import WORLD

_ERROR_END_WAIT = 5.0  # seconds between a stream's error event and the end of its job
_LONG = 3600.0  # the job's own limits end it before


async def relay(request: web.Request) -> web.StreamResponse:
    """Any method and any path below `/openai`. A client that goes away cancels its job."""
    body = await _body(request)
    streams = body is not None and body.get("stream") is True
    given = {"openai_route": "/" + request.match_info["route"], "openai_input": body}
    world = request.app[WORLD]
    job = world.submit(Job(given, streamed=True))
    try:
        return await (_stream(request, job) if streams else _answer(job))
    except ConnectionError:
        raise web.HTTPBadRequest from None  # nobody reads it: the client has gone
    finally:
        world.queue.stop(job, State.CANCELLED)


async def _answer(job: Job) -> web.Response:
    while not job.ended:
        await job.change.wait(_LONG)
    if job.state is not State.COMPLETED:
        return _error(job)
    outputs = job.output if isinstance(job.output, list) else [job.output]
    # A generator handler without return_aggregate_stream: its yields were streamed only.
    outputs = outputs or job.outputs(0)
    return web.json_response(outputs[0] if outputs else None)


async def _stream(request: web.Request, job: Job) -> web.StreamResponse:
    """The outputs as they come. The head waits for the first: a status cannot be taken back."""
    while not job.posts and not job.ended:
        await job.change.wait(_LONG)
    if not job.posts:
        return await _answer(job)
    outputs, sent = job.outputs(0), len(job.posts)
    if outputs and _is_error_event(outputs[0]):
        end = time.monotonic() + _ERROR_END_WAIT
        while not job.ended and await job.change.wait(end - time.monotonic()):
            pass
        if job.state is State.FAILED:
            return _error(job)
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
    )
    await response.prepare(request)
    while True:
        if outputs:
            await response.write("".join(map(_event, outputs)).encode())
        elif job.ended:
            return response
        if sent == len(job.posts) and not job.ended:
            await job.change.wait(_LONG)
        outputs, sent = job.outputs(sent), len(job.posts)


def _event(output: Any) -> str:
    """Strings are events already, as the platform wants them from workers."""
    return output if isinstance(output, str) else f"data: {json.dumps(output)}\n\n"


def _is_error_event(output: Any) -> bool:
    if not isinstance(output, str):
        return False
    lines = [line for line in output.splitlines() if line.startswith("data:")]
    try:
        found = json.loads(lines[0].removeprefix("data:")) if lines else None
    except ValueError:
        return False
    return isinstance(found, dict) and bool(found.get("error"))


def _error(job: Job) -> web.Response:
    """A job's error as an OpenAI error, with the status that it names."""
    text = job.error or f"the job ended as {job.state}"
    error = _openai_error(text) or {
        "message": text,
        "type": "worker_error",
        "param": None,
        "code": 500,
    }
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code <= 599 else 500
    return web.json_response({"error": error}, status=status)


def _openai_error(text: str) -> dict[str, Any] | None:
    """The error object in `text`, flat or wrapped; None where it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if isinstance(found, dict):
        found = found.get("error", found)
    return found if isinstance(found, dict) and "message" in found else None


async def _body(request: web.Request) -> dict[str, Any] | None:
    text = await read_or_refuse(request, RUNSYNC_MOST)
    if not text:
        return None
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise refusal(400, "the body is not a JSON object")
    return body
