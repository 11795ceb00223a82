"""What goes wrong on the way to the engine, in our words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from proxy import clients, settings
from proxy.clients import Client, named_errors
from proxy.errors import ConnectionLost, EngineSilent, EngineUnavailable, JobError, StreamBroken
from tests.client import PATIENCE
from tests.processes import free_port

HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def engine(says: bytes | None) -> AsyncIterator[tuple[str, list[object]]]:
    """Says this to each request and closes; None: says nothing and waits. With its connections."""
    connections: list[object] = []
    over = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(reader)
        try:
            while await reader.readline():
                while (await reader.readline()).strip():
                    pass
                if says is None:
                    await over.wait()
                else:
                    writer.write(says)
                if says != WHOLE:
                    break
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", connections
        over.set()


async def asked(client: Client, url: str) -> None:
    with named_errors():
        async with client.session.get(f"{url}/x") as answer:
            await answer.read()


@pytest.mark.parametrize(
    ("says", "expected"), [(b"", ConnectionLost), (HALF, StreamBroken), (None, EngineSilent)]
)
async def test_each_loss_has_its_name(says: bytes | None, expected: type[JobError]) -> None:
    async with engine(says) as (url, _), asyncio.timeout(PATIENCE):
        silence = 0.2 if says is None else PATIENCE
        found = settings.read({"ENGINE_URL": url, "REQUEST_IDLE_TIMEOUT": str(silence)})
        client = clients.pooled(found, {})
        with pytest.raises(JobError) as caught:
            await asked(client, url)
        await client.close()
    assert type(caught.value) is expected


async def test_an_engine_that_is_not_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    client = clients.pooled(settings.read({"ENGINE_URL": url}), {})
    with pytest.raises(EngineUnavailable, match="cannot be reached"):
        await asked(client, url)
    await client.close()


def test_other_errors_are_left_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError), named_errors():
        raise ZeroDivisionError
    with pytest.raises(StreamBroken), named_errors():
        raise aiohttp.ClientPayloadError("cut")


@pytest.mark.parametrize(("make", "expected"), [(clients.pooled, 1), (clients.fresh, 3)])
async def test_only_a_pooled_client_uses_a_connection_again(
    make: Callable[..., Client], expected: int
) -> None:
    async with engine(WHOLE) as (url, connections), asyncio.timeout(PATIENCE):
        client = make(settings.read({"ENGINE_URL": url}), {})
        for _ in range(3):
            await asked(client, url)
        assert len(connections) == expected
        await client.close()
