"""The engine's schema over HTTP: read once, whatever comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer as TestServer

from proxy import clients, settings
from proxy.engine.openapi import OpenAPI, SchemaLate
from proxy.errors import EngineUnavailable, StreamBroken
from tests.client import PATIENCE
from tests.processes import free_port

DOCUMENT = b'{"paths": {"/x": {"get": {}}}}'


class Machine:
    """An engine that gives one answer; it cuts the first `cuts` of them in the middle."""

    def __init__(self, body: bytes = DOCUMENT, status: int = 200, cuts: int = 0) -> None:
        self.body, self.status, self.cuts = body, status, cuts
        self.asked = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.path == "/openapi.json"
        self.asked += 1
        if self.asked <= self.cuts:
            half = web.StreamResponse(headers={"Content-Length": str(len(self.body))})
            await half.prepare(request)
            await half.write(self.body[:5])
            assert request.transport is not None
            request.transport.close()
        return web.Response(body=self.body, status=self.status)


@asynccontextmanager
async def asked_at(url: str, patience: float = PATIENCE) -> AsyncIterator[OpenAPI]:
    client = clients.client(settings.read({"ENGINE_URL": url}), {})
    try:
        yield OpenAPI(client, patience)
    finally:
        client.close()


@asynccontextmanager
async def asked_of(machine: Machine) -> AsyncIterator[OpenAPI]:
    async with (
        TestServer(machine.handle) as server,
        asked_at(f"http://127.0.0.1:{server.port}") as one,
    ):
        yield one


async def test_it_is_read_once_for_however_many() -> None:
    machine = Machine()
    async with asked_of(machine) as one:
        found = await asyncio.gather(*(one.schema() for _ in range(20)))
    assert [each.methods for each in found if each] == [{"/x": ("GET",)}] * 20
    assert machine.asked == 1


@pytest.mark.parametrize(
    "machine",
    [
        Machine(status=404),
        Machine(status=401),
        Machine(status=307),
        Machine(status=500),
        Machine(b"<html>"),
        Machine(b"[]"),
        Machine(b""),
        Machine(b'"%s"' % (b"x" * 9_000_000)),
    ],
    ids=lambda machine: f"{machine.status} {machine.body[:6]!r}",
)
async def test_where_none_is_served_nothing_is_known(machine: Machine) -> None:
    async with asked_of(machine) as one:
        assert await one.schema() is None
        assert await one.schema() is None
    assert machine.asked == 1


async def test_an_engine_that_writes_it_forever() -> None:
    """Only the first job waits."""
    asked = 0

    async def hang(_request: web.BaseRequest) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()
        return web.Response()

    async with (
        TestServer(hang) as server,
        asked_at(f"http://127.0.0.1:{server.port}", patience=0.5) as one,
    ):
        assert await one.schema() is None
        assert await one.schema() is None
        assert asked <= 1
        told = await asyncio.gather(
            *(one.schema(surely=True) for _ in range(20)), return_exceptions=True
        )
    assert {type(each) for each in told} == {SchemaLate}
    assert asked <= 2, "those who wait at the same time share one question"


async def test_an_engine_that_ends_meanwhile_is_asked_again() -> None:
    machine = Machine(cuts=2)
    async with asked_of(machine) as one:
        assert await one.schema() is None
        with pytest.raises(StreamBroken):
            await one.schema(surely=True)
        assert one.so_far is None
        found = await one.schema(surely=True)
        assert found is not None
        assert one.so_far is found


async def test_that_nothing_is_served_is_known_for_sure() -> None:
    machine = Machine(status=404)
    async with asked_of(machine) as one:
        assert await one.schema() is None
        assert await one.schema(surely=True) is None
    assert machine.asked == 1


async def test_an_engine_that_is_away() -> None:
    async with asked_at(f"http://127.0.0.1:{free_port()}") as one:
        with pytest.raises(EngineUnavailable):
            await one.schema()
