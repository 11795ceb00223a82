"""Whether a ready engine still works: /health answers 200 while its core stands still.

An engine has stalled when a client waits, nothing has moved for ENGINE_STALL_TIMEOUT, and a request
for one token gets no answer either. A busy engine moves, an idle one has no client waiting, and a
sleeping one says so.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx

from ...link.journal import Journal
from ...machine import ports
from ...settings import table
from ...settings.mode import Mode
from ...settings.read import Settings
from ..metrics import vllm
from . import health

LOOK_EVERY = 5.0  # seconds
ANSWER_MOST = 60.0  # seconds that the request of one token may take

_MOVES = re.compile(
    r"^vllm:(?:generation_tokens|prompt_tokens|request_success|iteration_tokens)_\w+"
    r"(?:{[^\n]*})? \S+$",
    re.MULTILINE,
)

#: The smallest request of each kind of model; the first that is not refused fits this one.
_SMALLEST: Mapping[str, Mapping[str, object]] = {
    "/v1/completions": {"prompt": "1", "max_tokens": 1},
    "/v1/embeddings": {"input": "1"},
    "/pooling": {"input": "1"},
    "/classify": {"input": "1"},
}


@dataclass(frozen=True, slots=True)
class Sight:
    """What its metrics show of an engine.

    `moves` is whatever changes while it works; `waiting` the number of requests it reports.
    """

    moves: object
    waiting: float


def read(metrics: str) -> Sight:
    """What the text of vLLM's /metrics shows."""
    waiting = vllm.requests(vllm.read(metrics)) or 0.0
    return Sight(tuple(_MOVES.findall(metrics)), waiting)


@dataclass(slots=True)
class Stillness:
    """Since when nothing has moved while somebody waited. Pure; times on the caller's clock."""

    since: float | None = None
    moves: object = None

    def see(self, moves: object, now: float, *, somebody_waits: bool) -> float:
        """Take in one look.

        Returns:
            For how many seconds nothing has moved.
        """
        if not somebody_waits or moves != self.moves or self.since is None:
            self.moves = moves
            self.since = now
        return now - self.since


async def watch_plan(
    settings: Settings,
    key: str,
    journal: Journal,
    report: Callable[[float], Awaitable[None]],
    frozen: Callable[[], float],
    show: Callable[[str], None],
) -> None:
    """As `watch`, of the engine that these settings describe.

    Args:
        settings: where it is, how requests reach it, ENGINE_STALL_TIMEOUT. 0: its metrics are read
            as often, and that is all.
        key: that it asks for; may be empty.
        journal: counts jobs and tokens, in queue mode.
        report: see `watch`.
        frozen: see `watch`.
        show: see `watch`.
    """

    def waiting() -> int:
        if settings.mode is Mode.QUEUE:
            return journal.in_hand
        return ports.connections(settings.engine_port)

    async with health.client(settings.engine_url, key) as engine:
        await watch(
            engine,
            settings[table.ENGINE_STALL_TIMEOUT] or math.inf,
            waiting=waiting,
            tokens=lambda: journal.figures.tokens,
            report=report,
            frozen=frozen,
            show=show,
        )


async def watch(
    engine: httpx.AsyncClient,
    timeout: float,
    waiting: Callable[[], int],
    tokens: Callable[[], int],
    report: Callable[[float], Awaitable[None]],
    frozen: Callable[[], float] = lambda: 0.0,
    show: Callable[[str], None] = lambda _metrics: None,
) -> None:
    """Watch for ever, and report each time that the engine has stalled.

    Args:
        engine: a client for it that sends the key it asks for.
        timeout: seconds without a move; ENGINE_STALL_TIMEOUT. May be infinite.
        waiting: how many clients wait for an answer, counted outside the engine.
        tokens: how many tokens have come, counted by the proxy.
        report: is told for how many seconds nothing has moved.
        frozen: for how many seconds this process has stood still so far, as the engine may have.
            Nothing that was seen across such a time counts.
        show: is given the text of its metrics at each look.
    """
    still = Stillness()
    while True:
        stood = frozen()
        await asyncio.sleep(min(LOOK_EVERY, timeout / 4))
        seen, sight = tokens(), await _look(engine, show)
        # The engine's own count comes from its core, which may have stopped counting.
        waits = waiting() > 0 or sight.waiting > 0
        seconds = still.see((seen, sight.moves), time.monotonic(), somebody_waits=waits)
        if frozen() != stood:
            still = Stillness()
            continue
        if seconds < timeout:
            continue
        if await _answers(engine, min(ANSWER_MOST, timeout)) or frozen() != stood:
            still = Stillness()
            continue
        if (tokens(), (await _look(engine, show)).moves) == (seen, sight.moves):
            await report(seconds)
        still = Stillness()


async def _look(engine: httpx.AsyncClient, show: Callable[[str], None]) -> Sight:
    try:
        metrics = (await engine.get("/metrics")).text
        show(metrics)
        return read(metrics)
    except httpx.HTTPError:
        return Sight(None, 0.0)


async def _answers(engine: httpx.AsyncClient, within: float) -> bool:
    """Whether a request that fits the model is answered; also True where none is known.

    A refusal comes from the API server and says nothing about the core behind it.
    """
    try:
        if await _sleeps(engine):
            return True
        model = (await engine.get("/v1/models")).json()["data"][0]["id"]
        for route, body in _SMALLEST.items():
            answer = await engine.post(route, json={"model": model, **body}, timeout=within)
            if answer.status_code == httpx.codes.OK:
                return True
            if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                return True  # it lives; what is wrong with it, its health will say
    except httpx.TimeoutException:
        return False
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return True
    return True


async def _sleeps(engine: httpx.AsyncClient) -> bool:
    """Whether the engine was put to sleep; most do not even have the route."""
    answer = await engine.get("/is_sleeping")
    return answer.is_success and bool(answer.json().get("is_sleeping"))
