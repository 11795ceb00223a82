"""Statuses and forms of the platform's answers, taken as the SDK takes them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer as TestServer

from proxy.poll.fetch import Fetch, TooManyPolls


class Parts:
    """A platform that answers with `status` and `body`, and who asks it."""

    def __init__(self) -> None:
        self.status, self.body, self.content_type = 200, b"[1]", "application/json"
        self.asked: list[str] = []
        self.busy = False
        self.fetch: Fetch
        self.session: aiohttp.ClientSession

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        return web.Response(status=self.status, body=self.body, content_type=self.content_type)

    async def jobs(self, wanted: int = 5) -> bytes | None:
        return await self.fetch.jobs(self.session, wanted)

    async def stops(self) -> list[str] | None:
        return await self.fetch.stops(self.session, 1)


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    one = Parts()
    async with TestServer(one.handle) as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/v2/e"
        one.fetch = Fetch(f"{url}/job-take/w?gpu=x", f"{url}/job-stop/w?gpu=x", lambda: one.busy)
        one.session = session
        yield one


async def test_one_job_is_asked_for_in_its_own_form(parts: Parts) -> None:
    parts.body = b'{"id": "a", "input": {}}'
    assert await parts.jobs(1) == parts.body
    assert parts.asked == ["/v2/e/job-take/w?gpu=x&job_in_progress=0"]


async def test_several_are_asked_for_at_once(parts: Parts) -> None:
    parts.body = b'[{"id": "a", "input": {}}, {"id": "b"'
    parts.busy = True
    assert await parts.jobs(300) == parts.body, "it is read elsewhere, job by job"
    assert parts.asked == ["/v2/e/job-take-batch/w?gpu=x&batch_size=300&job_in_progress=1"]


@pytest.mark.parametrize("status", [204, 400])
async def test_statuses_that_mean_nothing_to_do(parts: Parts, status: int) -> None:
    parts.status = status
    assert await parts.jobs() is None
    assert await parts.stops() is None


async def test_too_many_polls(parts: Parts) -> None:
    parts.status = 429
    with pytest.raises(TooManyPolls):
        await parts.jobs()
    with pytest.raises(TooManyPolls):
        await parts.stops()


@pytest.mark.parametrize("status", [401, 404, 500, 502])
async def test_other_errors_are_raised(parts: Parts, status: int) -> None:
    parts.status = status
    with pytest.raises(aiohttp.ClientResponseError):
        await parts.jobs()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b" null ", "application/json"),
        (b"[]", "application/json"),
        (b"{}", "application/json"),
        (b"<html>", "text/html"),
    ],
)
async def test_what_is_no_json_is_nothing(parts: Parts, body: bytes, kind: str) -> None:
    parts.body, parts.content_type = body, kind
    assert await parts.jobs() is None
    assert await parts.stops() is None


@pytest.mark.parametrize(
    ("found", "stops"),
    [
        ({"jobsToStop": ["a", 1, "b"]}, ["a", "b"]),
        ({"jobsToStop": []}, None),
        ({"jobsToStop": "abc"}, None),
        ({"jobsToStop": 7}, None),
        ({}, None),
        ([1], None),
    ],
)
async def test_the_ids_of_jobs_to_stop(parts: Parts, found: Any, stops: list[str] | None) -> None:
    parts.body = json.dumps(found).encode()
    assert await parts.stops() == stops


async def test_stops_that_cannot_be_read_stop_nothing(parts: Parts) -> None:
    parts.body = b'{"jobsToStop": ' + b"[" * 100_000
    assert await parts.stops() is None
