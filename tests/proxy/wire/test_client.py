"""Requests to one server: which connection they take, and what is raised."""

from __future__ import annotations

import asyncio

import pytest

from proxy.wire.client import Client
from proxy.wire.connection import StaleConnection
from proxy.wire.pool import Unreachable
from tests.client import PATIENCE
from tests.proxy.wire.serving import END, HEAD, Serve, chunk, once, served, whole


async def say_ok(writer: asyncio.StreamWriter) -> None:
    writer.write(chunk(b"ok") + END)


class Counted:
    """Answers, and counts the connections."""

    def __init__(self, serve: Serve = say_ok) -> None:
        self.writers: list[asyncio.StreamWriter] = []
        self._serve = serve

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        if writer not in self.writers:
            self.writers.append(writer)
        await self._serve(writer)


async def test_a_connection_is_used_again_once_its_answer_was_read() -> None:
    counted = Counted()
    async with served(counted) as client:
        for _ in range(3):
            assert await once(client) == b"ok"
        assert len(counted.writers) == 1
        client.end(await client.ask("GET", "/"))  # unread
        assert await once(client) == b"ok"
        assert len(counted.writers) == 2


async def test_who_wants_a_fresh_connection_gets_one() -> None:
    counted = Counted()
    async with served(counted) as client:
        await once(client)
        client.end(await client.ask("GET", "/", fresh=True))
        assert len(counted.writers) == 2


async def test_after_a_thaw_no_old_connection_is_used() -> None:
    counted = Counted()
    async with served(counted) as client:
        await once(client)
        client.thawed()
        await once(client)
        assert len(counted.writers) == 2


async def test_an_idle_connection_that_the_server_closes_is_not_used() -> None:
    counted = Counted()
    async with served(counted) as client:
        await once(client)
        counted.writers[0].close()
        await asyncio.sleep(0.05)
        assert await once(client) == b"ok"


async def test_a_server_that_closes_without_a_word() -> None:
    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with served(serve, b"") as client:
        with pytest.raises(StaleConnection):
            await client.ask("GET", "/")


async def test_a_server_that_is_silent_or_not_there() -> None:
    over = asyncio.Event()

    async def serve(_writer: asyncio.StreamWriter) -> None:
        await over.wait()

    async with served(serve, b"", silence=0.2) as client:
        with pytest.raises(TimeoutError):
            await client.ask("GET", "/")
        over.set()
    with pytest.raises(Unreachable):
        await client.ask("GET", "/")


async def test_what_comes_unasked_closes_the_connection() -> None:
    """It would be taken for the next answer."""
    counted = Counted()
    async with served(counted) as client:
        await once(client)
        counted.writers[0].write(HEAD + chunk(b"not asked") + END)
        await asyncio.sleep(0.05)
        assert await once(client) == b"ok"
        assert len(counted.writers) == 2


async def test_errors_have_the_names_that_the_client_was_given() -> None:
    class NamedError(Exception):
        pass

    client = Client("http://127.0.0.1:1", {}, PATIENCE, PATIENCE, lambda _reason: NamedError())
    with pytest.raises(NamedError):
        await client.ask("GET", "/")


async def test_who_closes_an_old_answer_leaves_the_next_one_alone() -> None:
    """A job's task ends after its connection has been handed on."""
    counted = Counted()
    async with served(counted) as client:
        first = await client.ask("GET", "/")
        close = first.closer()
        await whole(first)
        client.end(first)
        second = await client.ask("GET", "/")
        close()
        assert await whole(second) == b"ok"
        client.end(second)
        assert len(counted.writers) == 1
