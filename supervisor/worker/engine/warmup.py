"""Sends a healthy engine a few short requests before the worker is ready.

vLLM loads some things only with a request that needs them: the chat template, the tokenizer of its
API server, the sampler, kernels for a size that comes first, what keeps an answer to a grammar. The
requests of a caller would wait for these. A failure costs no start: it is told, and that is all.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import time
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from ...catalog import release
from ...command.plan import Plan
from ...secrets import masked
from ...settings import table
from ...settings.routes import FORMS
from ...settings.warmup import FIRST, Request, like
from .. import lifecycle
from . import health
from .phases import Start

log = logging.getLogger("supervisor")

_GRACE = 10.0  # seconds that a start has beyond WARMUP_TIMEOUT, which ends the warm-up before
_AT_ONCE = 8  # requests of a file, behind its first one
_SHOWN = 200  # characters of what the engine says

#: The first of the versions that were read which fails one request alone, not all that run or
#: itself, where a tokenizer is none that its grammar backend knows.
_GRAMMAR_SINCE = (0, 28)
_KEY = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}


class ColdError(Exception):
    """The engine was not warmed up; the text says why."""


class RefusedError(ColdError):
    """It answered one request with an error."""

    def __init__(self, route: str, status: int, said: str) -> None:
        super().__init__(f"the engine answered {status} on {route}: {said}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Served:
    """A request that was answered, and the seconds to the first part of its answer."""

    request: Request
    seconds: float


@dataclass(slots=True)
class _Tally:
    """How many of the requests of a warm-up, `of` in all, are answered, or refused, by now."""

    of: int = 0
    where: str = ""
    served: int = 0
    refused: int = 0

    @property
    def heard(self) -> bool:
        """Whether the engine answered at all."""
        return bool(self.served or self.refused)


async def warm_plan(
    engine: httpx.AsyncClient, plan: Plan, start: Start, put: Callable[[lifecycle.Event], None]
) -> bool:
    """Warm up the engine of `plan`, for WARMUP_TIMEOUT at most, and tell how that went.

    Args:
        engine: a client for it that sends the key it asks for.
        plan: WARMUP, and the requests in its file.
        start: is told that a phase begins.
        put: takes `Warming`.

    Returns:
        Whether it may be done again: False where no answer came.
    """
    limit, tally = plan.settings[table.WARMUP_TIMEOUT], _Tally()
    put(lifecycle.Warming(limit + _GRACE))
    start.begin("warmup")
    try:
        async with asyncio.timeout(limit):
            seconds = await _warm(engine, plan, tally)
        told = f"{tally.served} requests {tally.where}, the first one answered after"
        log.info("warmed up: %s %.2f s", told, seconds)
    except TimeoutError:
        count = f"{tally.served} of {tally.of} requests {tally.where} were answered"
        told = count if tally.heard else "no answer"
        log.warning("not warmed up: %s within %g s (%s)", told, limit, table.WARMUP_TIMEOUT.name)
        return tally.heard
    except ColdError as reason:
        log.warning("not warmed up: %s", reason)
        return tally.heard or isinstance(reason, RefusedError)
    finally:
        start.end("warmup")
    return True


async def _warm(engine: httpx.AsyncClient, plan: Plan, tally: _Tally) -> float:
    """Send all of it; the seconds to the first part of the first answer."""
    model = await health.served_model(engine)
    if plan.warmup:
        more = plan.warmup[1:]
        tally.of, tally.where = len(plan.warmup), f"of {plan.settings.warmup_file}"
        try:
            one = await ask(engine, plan.warmup[0], model)
        except RefusedError:  # told behind the others, which may do all the same
            tally.refused += 1
            await _several(engine, more, model, tally, ours=False)
            raise
    else:
        one = await first(engine, model)
        more = like(one.request, grammar=_fails_alone(plan.vllm_version))
        tally.of, tally.where = 1 + len(more), f"to {one.request.route}"
    tally.served += 1
    await _several(engine, more, model, tally, ours=not plan.warmup)
    return one.seconds


async def first(engine: httpx.AsyncClient, model: str | None) -> Served:
    """Ask for a token or a vector, by the first route that this model serves.

    Args:
        engine: a client for it.
        model: by which name it is served; None where that is not known.

    Raises:
        ColdError: none came.
    """
    refusals: list[RefusedError] = []
    for request in FIRST:
        try:
            return await ask(engine, request, model)
        except RefusedError as refusal:
            if refusal.status in _KEY:
                raise ColdError(
                    f"{refusal}; set VLLM_API_KEY to the key that it asks for"
                ) from None
            refusals.append(refusal)
    broken = (each for each in refusals if each.status >= httpx.codes.INTERNAL_SERVER_ERROR)
    told = next((each for each in broken if each.status != httpx.codes.NOT_IMPLEMENTED), None)
    raise told or ColdError(f"no route that was tried takes a request; {refusals[0]}")


async def _several(
    engine: httpx.AsyncClient, more: Sequence[Request], model: str | None, tally: _Tally, ours: bool
) -> None:
    """Send `more` requests beside each other, and count their answers in `tally`.

    Of ours one may be refused, as by a context that is too short for it.

    Raises:
        ColdError: one was not answered; the others were all the same.
    """
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(request: Request) -> None:
        async with turn:
            try:
                await ask(engine, request, model)
            except RefusedError as refusal:
                tally.refused += 1
                if not ours or refusal.status >= httpx.codes.INTERNAL_SERVER_ERROR:
                    raise
            else:
                tally.served += 1

    ended = await asyncio.gather(*map(one, more), return_exceptions=True)
    if faults := [each for each in ended if isinstance(each, BaseException)]:
        raise faults[0]


async def ask(engine: httpx.AsyncClient, request: Request, model: str | None) -> Served:
    """Send `request`, with the served model in it unless it names one, and read all of the answer.

    Raises:
        RefusedError: it was answered with an error.
        ColdError: it was not answered.
    """
    named = request.body if model is None else {"model": model, **request.body}
    began, seconds = time.monotonic(), None
    try:
        async with engine.stream(
            "POST", request.route, timeout=None, **_content(named, request)
        ) as (answer):
            if answer.status_code != httpx.codes.OK:
                raise RefusedError(request.route, answer.status_code, _told(await answer.aread()))
            async for line in answer.aiter_lines():
                seconds = time.monotonic() - began if seconds is None else seconds
                if line.startswith(('data: {"error"', 'data: {"object":"error"')):
                    text = line.removeprefix("data: ").encode()
                    raise RefusedError(request.route, answer.status_code, _told(text))
    except httpx.HTTPError as fault:
        raise ColdError(
            f"{request.route} was not answered: {str(fault) or type(fault).__name__}"
        ) from None
    if seconds is None:
        raise ColdError(f"the answer on {request.route} was empty")
    return Served(request, seconds)


def _content(body: Mapping[str, Any], request: Request) -> Mapping[str, Any]:
    """The body as httpx takes it: JSON in ASCII, or a form with a second of silence."""
    if request.route in FORMS:
        return {"data": dict(body), "files": {"file": ("silence.wav", _silence(), "audio/wav")}}
    headers = {"Content-Type": "application/json"}
    return {"content": json.dumps(body).encode(), "headers": headers}


def _silence() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * 16_000))
    return file.getvalue()


def _fails_alone(version: str | None) -> bool:
    """Whether a request that its grammar backend cannot serve costs this vLLM nothing else."""
    return release.number(version) >= _GRAMMAR_SINCE


def _told(body: bytes) -> str:
    """The message in an error of the engine's, in one short line."""
    text = body.decode(errors="replace")
    try:
        said = json.loads(text)
        said = said.get("error", said)
        text = str(said.get("message") or said["detail"]) if isinstance(said, dict) else str(said)
    except (ValueError, LookupError, AttributeError):
        pass
    line = masked("", " ".join(text.split()))
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
