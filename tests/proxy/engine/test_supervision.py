"""What is asked of the supervisor, and what is made of its answers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer as TestServer

from proxy.engine.supervision import Supervision, first_question
from proxy.errors import EngineUnavailable
from supervisor.link.standing import Standing
from tests.client import PATIENCE
from tests.processes import ROOT, free_port

READY = {"state": "READY", "restarts": 0, "engine_pid": 7}
GONE = {"state": "RESTARTING", "restarts": 0, "engine_pid": None, "last_failure": "killed"}
BACK = {"state": "READY", "restarts": 1, "engine_pid": 8, "last_failure": "killed"}
FAILED = {"state": "FAILED", "restarts": 5, "engine_pid": None, "last_failure": "boom"}


class Supervisor:
    """Gives its answers one after the other, the last one again and again."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, str]] = []

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        last = len(self._answers) == 1
        return web.json_response(self._answers[0] if last else self._answers.pop(0))


@asynccontextmanager
async def asking(supervisor: Supervisor) -> AsyncIterator[Supervision]:
    async with TestServer(supervisor.handle) as server, asyncio.timeout(PATIENCE):
        one = Supervision(f"http://127.0.0.1:{server.port}")
        yield one
        await one.close()


#: Asks twice in a process of its own, and names what only the second question imported.
ASK_TWICE = """
import asyncio, sys
from proxy.engine import supervision
async def ask():
    await supervision.first_question(sys.argv[1])
    known = set(sys.modules)
    one = supervision.Supervision(sys.argv[1])
    assert await one.standing() is None
    await one.close()
    print(*set(sys.modules) - known)
asyncio.run(ask())
"""


def test_nothing_is_imported_for_the_second_question() -> None:
    """So that no job waits for it. Nobody need be there for the first."""
    command = [sys.executable, "-c", ASK_TWICE, f"http://127.0.0.1:{free_port()}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout.strip() == "", done.stderr
    assert done.returncode == 0


async def test_the_first_question_is_one_that_anybody_may_ask() -> None:
    asked = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        asked.append((request.path, request.headers.get("Authorization")))
        return web.Response(status=204)

    async with TestServer(handle) as server, asyncio.timeout(PATIENCE):
        await first_question(f"http://127.0.0.1:{server.port}")
    assert asked == [("/ping", None)]


async def test_a_page_is_told_as_it_is() -> None:
    async with asking(Supervisor(READY)) as supervision:
        assert json.loads(await supervision.page("/status")) == READY


async def test_a_page_that_nobody_tells_is_an_error() -> None:
    async def refused(_: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"error": "no"}, status=401)

    async with TestServer(refused) as server, asyncio.timeout(PATIENCE):
        for url in (None, f"http://127.0.0.1:{server.port}", f"http://127.0.0.1:{free_port()}"):
            supervision = Supervision(url)
            with pytest.raises(EngineUnavailable, match="no supervisor"):
                await supervision.page("/metrics")
            await supervision.close()


async def test_many_who_ask_at_once_share_one_question() -> None:
    supervisor = Supervisor(READY)
    async with asking(supervisor) as supervision:
        found = await asyncio.gather(*(supervision.standing() for _ in range(50)))
    assert all(each == Standing("READY", engine_pid=7) for each in found)
    assert len(supervisor.asked) < 5, "one each half second"


async def test_nobody_says_where_no_supervisor_answers() -> None:
    for url in (None, f"http://127.0.0.1:{free_port()}"):
        supervision = Supervision(url)
        assert await supervision.standing() is None
        assert await supervision.after_a_loss() is None
        await supervision.close()


@pytest.mark.parametrize("status", [401, 403])
async def test_a_token_that_is_refused_is_said_once(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(_: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"error": "no"}, status=status)

    async with TestServer(refuse) as server, asyncio.timeout(PATIENCE):
        supervision = Supervision(f"http://127.0.0.1:{server.port}")
        for _ in range(2):
            assert await supervision.after_a_loss() is None
        await supervision.close()
        port = server.port
    (line,) = caplog.messages
    assert f"http://127.0.0.1:{port} refuses this proxy (HTTP {status})" in line
    assert line.endswith("set the CONTROL_TOKEN of that worker here")


async def test_a_loss_is_asked_about_until_the_supervisor_has_seen_it() -> None:
    """All jobs that were lost share the questions."""
    supervisor = Supervisor(READY, READY, GONE)
    async with asking(supervisor) as supervision:
        found = await asyncio.gather(*(supervision.after_a_loss() for _ in range(50)))
    assert {standing.words for standing in found if standing} == {
        "the engine is being restarted: killed"
    }
    assert len(supervisor.asked) == 3


async def test_an_engine_that_is_back_already_was_lost() -> None:
    supervisor = Supervisor(READY, BACK)
    async with asking(supervisor) as supervision:
        found = await supervision.after_a_loss()
    assert found == Standing("READY", engine_pid=8, restarts=1, last_failure="killed")


async def test_a_worker_that_is_ready_is_known_at_once() -> None:
    """By one question, which the supervisor holds, however many wait; the next look costs none."""
    supervisor = Supervisor(GONE, READY)
    async with asking(supervisor) as supervision:
        assert (await supervision.standing() or READY) != READY
        await asyncio.gather(*(supervision.until_ready(PATIENCE) for _ in range(50)))
        found = await supervision.standing()
    assert found == Standing("READY", engine_pid=7)
    assert [query.get("wait") for query in supervisor.asked] == [None, "ready"]


async def test_nobody_waits_for_a_ready_worker_longer_than_told() -> None:
    """And who asks again and again is answered no more often than that."""
    supervisor = Supervisor(GONE)
    async with asking(supervisor) as supervision:
        for _ in range(20):
            await supervision.until_ready(0.01)
    assert len(supervisor.asked) <= 5


async def test_the_end_is_waited_for() -> None:
    supervisor = Supervisor(GONE, FAILED)
    async with asking(supervisor) as supervision:
        assert await supervision.until_failed() == "the worker has given up: boom"
    assert [query["wait"] for query in supervisor.asked] == ["failed", "failed"]


async def test_a_worker_that_answers_jobs_with_the_cause_has_not_ended_yet() -> None:
    supervisor = Supervisor({**FAILED, "answering": True}, FAILED)
    async with asking(supervisor) as supervision:
        assert await supervision.until_failed() == "the worker has given up: boom"
    assert len(supervisor.asked) == 2


async def test_an_answer_that_is_no_status_counts_as_none() -> None:
    async def handle(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="<html>")

    async with TestServer(handle) as server:
        supervision = Supervision(f"http://127.0.0.1:{server.port}")
        assert await supervision.standing() is None
        await supervision.close()
