"""A follower's end of the channel."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from supervisor.command.cluster.likeness import Identity
from supervisor.worker.cluster import timing
from supervisor.worker.cluster.asking import Asking
from supervisor.worker.cluster.finding import Finding
from supervisor.worker.lifecycle import (
    Awaiting,
    Event,
    ExitCode,
    Finished,
    Following,
    History,
    NoEngine,
    NoProxy,
    Ordered,
    Start,
    Starting,
    State,
    StopAll,
    Unheard,
    Wait,
)
from tests.client import PATIENCE
from tests.processes import free_port

GROUP = Following(2, 1, prepared=True)
STATE = State(Awaiting(9.0), NoProxy(), group=GROUP)
WAIT = {"order": "wait", "generation": 0, "phase": "STARTING", "missing": []}
GO = {"order": "start", "generation": 1, "phase": "STARTING", "missing": []}


IDENTITY = Identity(1, "127.0.0.1", "0.32.0", "org/m")


async def same(prepared: bool) -> Identity:
    return replace(IDENTITY, commit="a" * 40) if prepared else IDENTITY


class Rank0:
    """Answers what a test wants, and keeps what it was asked."""

    def __init__(self) -> None:
        self.port = free_port()
        self.asked: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        self.hosts: list[str] = []
        self.answer: Callable[[int], web.Response] = lambda _: web.json_response(WAIT)
        self.hold = asyncio.Event()
        self.hold.set()

    @contextlib.asynccontextmanager
    async def there(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/cluster", self._hear)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _hear(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        self.tokens.append(request.headers.get("Authorization"))
        self.hosts.append(request.host)
        await self.hold.wait()
        return self.answer(len(self.asked))


class Follower:
    """A worker around it: takes what comes, and shows its state."""

    def __init__(self, rank_0: Rank0, token: str, finding: Finding | None = None) -> None:
        self.state = STATE
        self.heard: asyncio.Queue[Event] = asyncio.Queue()
        where = finding or Finding("127.0.0.1", "127.0.0.1")
        url = f"http://{where.name}:{rank_0.port}/cluster"
        self.asking = Asking(where, url, token, "127.0.0.1", same, STATE, self._take)

    def _take(self, event: Event) -> None:
        self.heard.put_nowait(event)
        asyncio.get_running_loop().call_soon(self.asking.publish, self.state)

    def show(self, state: State) -> None:
        self.state = state
        self.asking.publish(state)

    async def hears(self) -> Event:
        async with asyncio.timeout(PATIENCE):
            return await self.heard.get()

    @contextlib.asynccontextmanager
    async def there(self) -> AsyncIterator[None]:
        await self.asking.begin()
        running = asyncio.create_task(self.asking.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait([running])


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "RETRY", 0.05)


async def test_it_says_how_it_stands_and_hears_what_is_to_be_done() -> None:
    rank_0 = Rank0()
    follower = Follower(rank_0, "hush")
    async with rank_0.there(), follower.there():
        assert await follower.hears() == Ordered(Wait(0), "STARTING")
        rank_0.answer = lambda _: web.json_response(GO)
        while (heard := await follower.hears()) == Ordered(Wait(0), "STARTING"):
            pass
        assert heard == Ordered(Start(1), "STARTING")
    assert rank_0.asked[0]["seen"] is None
    assert rank_0.asked[1]["seen"] == WAIT
    assert rank_0.asked[0]["doing"] == "waiting"
    assert rank_0.asked[0]["identity"] == IDENTITY.to_json()
    assert rank_0.tokens[0] == "Bearer hush"


async def test_what_is_new_here_is_said_at_once() -> None:
    rank_0 = Rank0()
    follower = Follower(rank_0, "hush")
    async with rank_0.there(), follower.there():
        await follower.hears()
        rank_0.hold.clear()
        number = len(rank_0.asked)
        async with asyncio.timeout(PATIENCE):
            while len(rank_0.asked) == number:
                await asyncio.sleep(0.01)
            running = replace(STATE, engine=Starting(9.0), group=replace(GROUP, generation=1))
            follower.show(running)
            while rank_0.asked[-1]["doing"] != "running":
                await asyncio.sleep(0.01)
        assert rank_0.asked[-1]["generation"] == 1


async def test_who_does_not_answer_is_asked_again() -> None:
    rank_0 = Rank0()
    follower = Follower(rank_0, "hush")
    async with follower.there():
        heard = await follower.hears()
        assert isinstance(heard, Unheard)
        assert "cannot connect" in heard.cause
        async with rank_0.there():
            while isinstance(heard := await follower.hears(), Unheard):
                pass
            assert heard == Ordered(Wait(0), "STARTING")


def named(*found: str) -> Finding:
    """A name of rank 0 that leads to these."""

    def look(_: str) -> tuple[str, ...]:
        if not found:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return found

    return Finding("head", "127.0.0.1", look)


async def test_a_name_leads_to_the_address_that_answers() -> None:
    rank_0 = Rank0()
    follower = Follower(rank_0, "hush", named("127.0.0.9", "127.0.0.1"))
    async with rank_0.there(), follower.there():
        assert await follower.hears() == Ordered(Wait(0), "STARTING")
        await follower.hears()
        assert (await follower.asking._rank_0.places(0.0))[0] == "127.0.0.1"
    assert set(rank_0.hosts) == {f"head:{rank_0.port}"}


async def test_a_name_that_leads_nowhere_is_told() -> None:
    follower = Follower(Rank0(), "hush", named())
    async with follower.there():
        assert await follower.hears() == Unheard(
            "the name head cannot be resolved (Temporary failure in name resolution)"
        )
    follower = Follower(Rank0(), "hush", named("127.0.0.9"))
    async with follower.there():
        heard = await follower.hears()
    assert isinstance(heard, Unheard)
    assert heard.cause.startswith("cannot connect to 127.0.0.9")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda _: web.Response(status=503), "it answered 503"),
        (lambda _: web.Response(text="hello"), "what it answered is not understood"),
        (lambda _: web.json_response({"order": "dance"}), "what it answered is not understood"),
    ],
)
async def test_what_is_no_answer_counts_as_none(
    answer: Callable[[int], web.Response], cause: str
) -> None:
    rank_0 = Rank0()
    rank_0.answer = answer
    follower = Follower(rank_0, "hush")
    async with rank_0.there(), follower.there():
        heard = await follower.hears()
        assert isinstance(heard, Unheard)
        assert cause in heard.cause


async def test_another_token_ends_it() -> None:
    rank_0 = Rank0()
    rank_0.answer = lambda _: web.Response(status=401)
    follower = Follower(rank_0, token="")
    async with rank_0.there(), follower.there():
        heard = await follower.hears()
    assert isinstance(heard, Ordered)
    assert isinstance(heard.order, StopAll)
    assert heard.order.code == 78
    assert heard.order.cause.startswith("CLUSTER_TOKEN differs from rank 0's")
    assert rank_0.tokens == [None]


async def test_its_last_word_is_why_it_ends() -> None:
    rank_0 = Rank0()
    follower = Follower(rank_0, "hush")
    async with rank_0.there():
        async with follower.there():
            await follower.hears()
            while follower.asking._seen is None:
                await asyncio.sleep(0.01)
        history = History(last_failure="no room")
        over = State(NoEngine(), NoProxy(), Finished(ExitCode.UNEXPECTED), history, GROUP)
        follower.show(over)
        await follower.asking.close()
    assert rank_0.asked[-1]["lost"]["cause"] == "no room"
    assert rank_0.asked[-1]["doing"] == "ending"


async def test_who_was_told_to_end_or_never_heard_anything_says_no_more() -> None:
    rank_0 = Rank0()
    rank_0.answer = lambda _: web.json_response(
        {"order": "stop", "code": 0, "cause": "", "phase": "STOPPED", "missing": []}
    )
    follower = Follower(rank_0, "hush")
    await follower.asking.close()
    async with rank_0.there():
        async with follower.there():
            await follower.hears()
            while follower.asking._seen is None:
                await asyncio.sleep(0.01)
        number = len(rank_0.asked)
        await follower.asking.close()
    assert len(rank_0.asked) == number
