"""Rank 0's end of the channel, and a follower's, over loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from supervisor.command.cluster.likeness import Identity
from supervisor.errors import MachineRefused
from supervisor.worker.cluster import timing
from supervisor.worker.cluster.hearing import Hearing
from supervisor.worker.cluster.wire import Asked, question
from supervisor.worker.lifecycle import (
    Awaiting,
    Doing,
    Event,
    ExitCode,
    Finished,
    History,
    Leading,
    NoEngine,
    NoProxy,
    Reported,
    Starting,
    State,
)
from supervisor.worker.lifecycle.group import Node
from tests.client import PATIENCE
from tests.processes import free_port

GROUP = Leading(3, generation=1, nodes={1: Node("a", "127.0.0.1", 9.0, Doing.WAITING, 1)})
STATE = State(Awaiting(9.0), NoProxy(), group=GROUP)
SAID = Reported(1, "a", "", Doing.WAITING, 1)
IDENTITY = Identity(0, "127.0.0.1", "0.32.0", "org/m")


async def same(_prepared: bool) -> Identity:
    return IDENTITY


@contextlib.asynccontextmanager
async def heard(
    state: State = STATE, *, asks: bool = True
) -> AsyncIterator[tuple[Hearing, httpx.AsyncClient, list[Event]]]:
    events: list[Event] = []
    port, token = free_port(), "hush" if asks else ""
    hearing = Hearing("127.0.0.1", port, token, same, state, events.append)
    await hearing.begin()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, headers=headers) as asking:
            yield hearing, asking, events
    finally:
        await hearing.close()


def body(said: Reported = SAID, size: int = 3, seen: Any = None, **other: str) -> dict[str, Any]:
    identity = {**IDENTITY.to_json(), **other}
    return {**question(Asked(said, size, identity)), "seen": seen}


async def test_a_question_is_a_report_and_its_answer_the_order() -> None:
    async with heard() as (_, asking, events):
        answer = await asking.post("/cluster", json=body())
        assert answer.json() == {
            "order": "wait", "generation": 1, "phase": "STARTING", "missing": [2],
        }  # fmt: skip
        assert events == [replace(SAID, address="127.0.0.1")]


async def test_an_answer_with_nothing_new_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    async with heard() as (hearing, asking, _):
        seen = (await asking.post("/cluster", json=body())).json()
        held = asyncio.create_task(asking.post("/cluster", json=body(seen=seen)))
        await asyncio.wait([held], timeout=0.3)
        hearing.publish(STATE)  # of which it learns nothing new
        await asyncio.wait([held], timeout=0.3)
        assert not held.done()
        begun = replace(GROUP, generation=2)
        hearing.publish(replace(STATE, engine=Starting(9.0), group=begun))
        assert (await held).json()["order"] == "start"
        monkeypatch.setattr(timing, "HOLD", 0.2)
        seen = (await asking.post("/cluster", json=body())).json()
        assert (await asking.post("/cluster", json=body(seen=seen))).json() == seen


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer wrong", "Basic hush", "hush"])
async def test_who_has_another_token_is_refused(
    sent: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with heard() as (_, asking, events):
        for _ in range(2):
            answer = await asking.post("/cluster", json=body(), headers={"Authorization": sent})
            assert answer.status_code == 401
        assert events == []
        told = [each for each in caplog.messages if "asks with another CLUSTER_TOKEN" in each]
        assert len(told) == 1, "once for an address"
        assert "wrong" not in caplog.text


async def test_a_token_where_none_is_known_differs_too() -> None:
    async with heard(asks=False) as (_, asking, events):
        assert (await asking.post("/cluster", json=body())).status_code == 200
        sent = {"Authorization": "Bearer hush"}
        assert (await asking.post("/cluster", json=body(), headers=sent)).status_code == 401
        assert len(events) == 1


@pytest.mark.parametrize(
    ("asked", "cause", "foreign"),
    [
        (body(version="0.33.0"), "rank 1 (127.0.0.1) runs vLLM 0.33.0, rank 0 runs 0.32.0", False),
        (body(rank="one"), "rank 1 (127.0.0.1) does not say what a node runs", False),
        (body(size=4), "rank 1 (127.0.0.1) has NUM_NODES=4, rank 0 has 3", True),
        (body(replace(SAID, rank=7)), "rank 7 (127.0.0.1) is not one of 1 to 2", True),
        (body(replace(SAID, rank=0)), "rank 0 (127.0.0.1) is not one of 1 to 2", True),
    ],
)
async def test_who_cannot_be_one_of_the_nodes_is_told_to_end(
    asked: dict[str, Any], cause: str, foreign: bool
) -> None:
    async with heard() as (_, asking, events):
        answer = (await asking.post("/cluster", json=asked)).json()
        assert (answer["order"], answer["code"]) == ("stop", 78)
        assert cause in answer["cause"]
        (event,) = events
        assert isinstance(event, Reported)
        assert cause in event.wrong
        assert event.foreign is foreign


async def test_what_is_known_once_the_model_is_there_is_compared_with_what_was_said() -> None:
    async with heard() as (hearing, asking, events):
        await asking.post("/cluster", json=body(commit="b" * 40))
        events.clear()

        hearing._look = downloaded
        await hearing.identify()
        (event,) = events
        assert isinstance(event, Reported)
        assert "commit bbbbbbbbbbbb" in event.wrong


@pytest.mark.parametrize("stray", [body(size=4), body(version="0.33.0")])
async def test_it_is_compared_also_where_a_stray_claimed_the_rank_since(
    stray: dict[str, Any],
) -> None:
    async with heard() as (hearing, asking, events):
        await asking.post("/cluster", json=body(commit="b" * 40))
        await asking.post("/cluster", json={**stray, "run": "another"})
        events.clear()
        hearing._look = downloaded
        await hearing.identify()
        (event,) = events
        assert isinstance(event, Reported)
        assert "commit bbbbbbbbbbbb" in event.wrong


async def downloaded(prepared: bool) -> Identity:
    return replace(IDENTITY, commit="a" * 40) if prepared else IDENTITY


async def test_a_commit_counts_once_both_have_the_model() -> None:
    downloads = replace(SAID, doing=Doing.PREPARING)
    other = "b" * 40
    async with heard() as (hearing, asking, events):
        hearing._look = downloaded
        first = await asking.post("/cluster", json=body(commit=other, revision="v2"))
        assert first.json()["order"] == "wait", "rank 0 has none yet"
        await asking.post("/cluster", json=body(downloads, commit=other, revision="v2"))
        events.clear()
        await hearing.identify()
        answer = await asking.post("/cluster", json=body(downloads, commit=other))
        assert answer.json()["order"] == "wait"
        assert not any(isinstance(each, Reported) and each.wrong for each in events)
        answer = await asking.post("/cluster", json=body(downloads, version="0.33.0"))
        assert answer.json()["order"] == "stop", "the rest counts at once"
        answer = await asking.post("/cluster", json=body(commit=other))
        assert "commit bbbbbbbbbbbb" in answer.json()["cause"]


async def test_everything_else_is_refused() -> None:
    async with heard() as (_, asking, events):
        assert (await asking.get("/cluster")).status_code == 405
        assert (await asking.post("/status")).status_code == 404
        assert (await asking.post("/cluster", content=b"[]")).status_code == 400
        said = {**body(), "doing": "\x1b[31m" * 5000}
        answer = await asking.post("/cluster", json=said)
        assert answer.status_code == 400
        assert len(answer.content) < 500
        with contextlib.suppress(httpx.HTTPError):  # it may be cut off before it reads the answer
            too_long = await asking.post("/cluster", content=b" " * 300_000)
            assert too_long.status_code == 400
        assert events == []
    async with heard(State(Starting(9.0), NoProxy())) as (_, asking, events):
        assert (await asking.post("/cluster", json=body())).status_code == 503


async def test_followers_hear_why_it_ends_before_it_does() -> None:
    history = History(last_failure="it broke")
    over = State(NoEngine(), NoProxy(), Finished(ExitCode.RESTARTS_USED_UP), history, GROUP)
    async with heard() as (hearing, asking, _):
        hearing.publish(over)
        closing = asyncio.create_task(hearing.close())
        await asyncio.wait([closing], timeout=0.3)
        assert not closing.done()
        answer = (await asking.post("/cluster", json=body())).json()
        assert (answer["order"], answer["code"], answer["cause"]) == ("stop", 70, "it broke")
        await closing


async def test_it_does_not_wait_for_followers_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LAST_WORDS", 0.1)
    over = State(NoEngine(), NoProxy(), Finished(ExitCode.OK), group=GROUP)
    async with heard() as (hearing, _, _):
        hearing.publish(over)
        await hearing.close()


REFUSED = State(NoEngine(), NoProxy(), Finished(ExitCode.CONFIGURATION), group=GROUP)


async def waits(closing: asyncio.Task[None]) -> bool:
    """Whether it goes on to wait; so that those who could end it have their turn."""
    await asyncio.wait([closing], timeout=0.3)
    return not closing.done()


@pytest.fixture
def _for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself the wait for those that have not come does not end."""
    monkeypatch.setattr(timing, "LAST_WORDS_TO_ALL", 1e6)


@pytest.mark.usefixtures("_for_ever")
async def test_those_that_come_later_hear_of_another_configuration() -> None:
    """However often another of them is restarted meanwhile."""
    async with heard() as (hearing, asking, _):
        hearing.publish(REFUSED)
        closing = asyncio.create_task(hearing.close())
        for run in ("a", "b", "c"):
            await asking.post("/cluster", json=body(replace(SAID, run=run)))
        assert await waits(closing)
        answer = await asking.post("/cluster", json=body(replace(SAID, rank=2, run="d")))
        assert answer.json()["code"] == 78
        async with asyncio.timeout(PATIENCE):
            await closing


@pytest.mark.usefixtures("_for_ever")
async def test_a_stop_ends_the_wait_for_those_that_may_come_later() -> None:
    async with heard() as (hearing, _, _):
        hearing.publish(REFUSED)
        closing = asyncio.create_task(hearing.close())
        assert await waits(closing)
        hearing.asked_to_stop()
        async with asyncio.timeout(PATIENCE):
            await closing


@pytest.mark.usefixtures("_for_ever")
async def test_after_a_stop_none_is_waited_for_that_was_not_here() -> None:
    async with heard() as (hearing, asking, _):
        hearing.asked_to_stop()
        hearing.publish(REFUSED)
        closing = asyncio.create_task(hearing.close())
        assert await waits(closing), "the one that is here has to know"
        await asking.post("/cluster", json=body())
        async with asyncio.timeout(PATIENCE):
            await closing


async def test_a_port_that_is_taken_is_named() -> None:
    async with heard() as (hearing, _, _):
        other = Hearing("127.0.0.1", hearing._port, "", same, STATE, print)
        with pytest.raises(MachineRefused, match=r"taken by .*; set CLUSTER_PORT to a free port"):
            await other.begin()
        await other.close()
    other = Hearing("10.255.255.1", free_port(), "", same, STATE, print)
    with pytest.raises(MachineRefused, match=r"cannot listen on 10\.255\.255\.1.*NODE_ADDR"):
        await other.begin()
