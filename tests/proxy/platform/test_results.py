"""Outputs reach a platform that falters: nothing is lost that can be delivered, nothing doubled."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from urllib.parse import unquote

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer as TestServer

from proxy.errors import InvalidInput, JobError, WorkerStopped
from proxy.platform import results
from proxy.platform.results import Results
from proxy.stream.raw import Comment, RawJson
from proxy.wire.posts import Posts


class Platform:
    """Takes outputs; what it is told to say comes first. 0 cuts the connection."""

    def __init__(self) -> None:
        self.says: dict[str, list[int]] = {"stream": [], "done": []}
        self.taken: dict[str, list[Any]] = {"stream": [], "done": []}
        self.calls: list[web.BaseRequest] = []

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.calls.append(request)
        kind = request.path.split("/")[1]
        body = await request.read()
        status = self.says[kind].pop(0) if self.says[kind] else 200
        if status == 0:
            assert request.transport is not None
            request.transport.abort()
        elif status == 200:
            self.taken[kind].append(json.loads(body))
        return web.Response(status=status or 200)


class Worker:
    """Runs jobs whose outputs are given; a JobError among them is raised."""

    def __init__(self, url: str, posts: Posts) -> None:
        streams, done = f"{url}/stream/w/$ID?gpu=x", f"{url}/done/w/$ID?gpu=x"
        self.stands_still = False
        self.results = Results(posts, streams, done, {}, self._clock)
        self.closed = 0

    def _clock(self) -> float:
        return 0.0 if self.stands_still else time.monotonic()

    async def run(self, *outputs: Any) -> None:
        async def handler(_job: dict[str, Any], _sent: object) -> AsyncGenerator[Any, None]:
            try:
                for output in outputs:
                    if isinstance(output, JobError):
                        raise output
                    yield output
            finally:
                self.closed += 1

        result = await self.results.run(handler, {"id": "job-1", "input": {}})
        await self.results.finish("job-1", result)


@pytest.fixture
async def platform() -> AsyncIterator[tuple[Platform, Worker]]:
    one = Platform()
    posts = Posts()
    async with TestServer(one.handle) as server:
        yield one, Worker(f"http://127.0.0.1:{server.port}", posts)
        posts.close()


Parts = tuple[Platform, Worker]


async def test_pieces_and_then_the_whole(platform: Parts) -> None:
    seen, worker = platform
    await worker.run("a", "bü", {"c": 1})
    assert seen.taken["stream"] == [{"output": "a"}, {"output": "bü"}, {"output": {"c": 1}}]
    assert seen.taken["done"] == [{"output": ["a", "bü", {"c": 1}]}]
    assert [call.path_qs for call in seen.calls] == [
        *["/stream/w/job-1?gpu=x&isStream=false"] * 3,
        "/done/w/job-1?gpu=x&isStream=true",
    ]
    assert {call.headers["X-Request-ID"] for call in seen.calls} == {"job-1"}
    assert {call.headers["Content-Type"] for call in seen.calls} == {
        "application/x-www-form-urlencoded"
    }


async def test_an_error_ends_the_job_and_its_generator(platform: Parts) -> None:
    seen, worker = platform
    reason = InvalidInput("no", "input")
    await worker.run("a", reason, "never")
    assert seen.taken["stream"] == [{"output": "a"}]
    assert seen.taken["done"] == [{"error": reason.as_json()}]
    assert worker.closed == 1


async def test_an_output_with_a_key_error_is_a_result(platform: Parts) -> None:
    seen, worker = platform
    await worker.run({"error": "a field", "x": 1})
    assert seen.taken["stream"] == [{"output": {"error": "a field", "x": 1}}]
    assert seen.taken["done"] == [{"output": [{"error": "a field", "x": 1}]}]


async def test_half_of_a_character_arrives(platform: Parts) -> None:
    """An engine's JSON can hold a lone surrogate, which UTF-8 has not."""
    seen, worker = platform
    outputs = ["a \ud83d", {"b": "\\\ud800"}]
    await worker.run(*outputs)
    assert seen.taken["stream"] == [{"output": output} for output in outputs]
    assert seen.taken["done"] == [{"output": outputs}]
    await worker.run(InvalidInput("\udfff", "input"))
    error = json.loads(seen.taken["done"][-1]["error"])
    assert error["message"] == "\udfff"


async def test_json_is_handed_over_as_it_is(platform: Parts) -> None:
    seen, worker = platform
    await worker.run(RawJson(b'{"a":  [1,2]}'), "b")
    assert seen.taken["stream"] == [{"output": {"a": [1, 2]}}, {"output": "b"}]
    assert seen.taken["done"] == [{"output": [{"a": [1, 2]}, "b"]}]


async def test_a_comment_is_no_beginning(platform: Parts) -> None:
    """A job that has had nothing else may be run again; the caller gets it all the same."""
    seen, worker = platform
    told: list[int] = []

    async def handler(_job: dict[str, Any], _sent: object) -> AsyncGenerator[Any, None]:
        for output in (Comment(": 1"), Comment(": 2"), "a", Comment(": 3"), "b"):
            yield output

    await worker.results.run(handler, {"id": "a"}, lambda _name: told.append(len(seen.calls)))
    assert told == [2]
    assert [each["output"] for each in seen.taken["stream"]] == [": 1", ": 2", "a", ": 3", "b"]


async def test_a_job_that_is_not_run_is_ended_with_an_error(platform: Parts) -> None:
    seen, worker = platform
    reason = WorkerStopped("stopped")
    await worker.results.finish("job-1", results.failed(reason))
    assert seen.taken == {"stream": [], "done": [{"error": reason.as_json()}]}


async def test_the_beginning_is_told_before_the_first_output_goes_out(platform: Parts) -> None:
    """And never where nothing does: such a job may be run again."""
    seen, worker = platform
    told: list[tuple[str, int]] = []

    async def handler(_job: dict[str, Any], _sent: object) -> AsyncGenerator[Any, None]:
        yield "a"
        yield "b"

    async def failing(_job: dict[str, Any], _sent: object) -> AsyncGenerator[Any, None]:
        if _job["id"]:
            raise WorkerStopped("stopped")
        yield "never"

    def begun(name: str) -> None:
        told.append((name, len(seen.calls)))

    await worker.results.run(handler, {"id": "a"}, begun)
    await worker.results.run(failing, {"id": "b"}, begun)
    assert told == [("a", 0)]


@pytest.mark.parametrize("status", [500, 502, 429, 0])
async def test_a_platform_that_falters_is_asked_again(platform: Parts, status: int) -> None:
    """In order, each once, whatever went wrong and how often."""
    seen, worker = platform
    seen.says = {"stream": [status, 200, status, status], "done": [status, status]}
    await worker.run("a", "b", "c")
    assert seen.taken["stream"] == [{"output": "a"}, {"output": "b"}, {"output": "c"}]
    assert seen.taken["done"] == [{"output": ["a", "b", "c"]}]


async def test_a_refused_piece_ends_the_stream_and_the_result_has_it(
    platform: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    seen, worker = platform
    seen.says["stream"] = [200, 404]
    with caplog.at_level(logging.WARNING):
        await worker.run("a", "b", "c")
    assert seen.taken["stream"] == [{"output": "a"}]
    assert seen.taken["done"] == [{"output": ["a", "b", "c"]}]
    assert len(seen.calls) == 3
    assert "job job-1: an output is lost (status 404)" in caplog.text


async def test_a_platform_that_stays_away_is_given_up(
    platform: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, worker = platform
    monkeypatch.setattr(results, "_PIECE_WITHIN", 0.3)
    monkeypatch.setattr(results, "_RESULT_WITHIN", 0.3)
    seen.says = {"stream": [503] * 100, "done": [503] * 100}
    await worker.run("a", "b")
    assert seen.taken == {"stream": [], "done": []}
    assert len(seen.calls) < 20  # it backs off


async def test_a_result_that_is_too_large_is_answered_with_its_size(platform: Parts) -> None:
    seen, worker = platform
    seen.says["done"] = [400]
    await worker.run("x" * 400_000)
    (result,) = seen.taken["done"]
    error = json.loads(result["error"])
    assert error["code"] == 413
    assert "0.4 MB" in error["message"]
    assert "20 MB" in error["message"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """The limit of a result, in bytes."""
    monkeypatch.setattr(results, "ANSWER_MOST", 1000)
    return 1000


async def test_a_job_whose_outputs_get_too_large_ends(platform: Parts, small: int) -> None:
    """Before they are all held: whoever writes without end must not fill the worker."""
    seen, worker = platform
    await worker.run(*["x" * (small // 4)] * 100)
    (result,) = seen.taken["done"]
    error = json.loads(result["error"])
    assert error["code"] == 413
    assert "20 MB" in error["message"]
    assert len(seen.taken["stream"]) == 3
    assert worker.closed == 1


async def test_what_the_handler_says_of_that_goes_out(platform: Parts, small: int) -> None:
    """Who reads the stream has no other way to hear of it."""
    seen, worker = platform

    async def handler(_job: dict[str, Any], _sent: object) -> AsyncGenerator[Any, None]:
        try:
            for _ in range(100):
                yield "x" * (small // 4)
        except JobError as reason:
            yield "the last event"
            raise reason from None

    await worker.results.finish("j", await worker.results.run(handler, {"id": "j"}))
    assert seen.taken["stream"][-1] == {"output": "the last event"}
    assert json.loads(seen.taken["done"][0]["error"])["code"] == 413


async def test_a_freeze_is_no_time_of_trying(
    platform: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the clock that leaves it out: a result is not given up for it."""
    seen, worker = platform
    monkeypatch.setattr(results, "_RESULT_WITHIN", 0.5)
    worker.stands_still = True
    seen.says["done"] = [503] * 4  # by another clock two of these were too many
    await worker.run("a")
    assert seen.taken["done"] == [{"output": ["a"]}]


@pytest.mark.parametrize("name", ["a/../b", "a b", "ü", "a\r\nX: y", "a?b#c"])
async def test_an_id_of_any_kind_is_a_part_of_the_path(platform: Parts, name: str) -> None:
    seen, worker = platform
    await worker.results.finish(name, results.failed(WorkerStopped("stopped")))
    (call,) = seen.calls
    path = call.rel_url.raw_path
    assert path.count("/") == 3
    assert unquote(path.removeprefix("/done/w/")) == name
    assert dict(call.query) == {"gpu": "x", "isStream": "true"}


async def test_a_cancelled_job_closes_its_generator_at_once(platform: Parts) -> None:
    seen, worker = platform
    seen.says["stream"] = [503] * 100
    task = asyncio.create_task(worker.run("a", "b"))
    while not seen.calls:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert worker.closed == 1
    assert seen.taken["done"] == []
