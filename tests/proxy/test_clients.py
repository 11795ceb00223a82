"""What goes wrong on the way to the engine, in our words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from proxy import clients, settings
from proxy.errors import ConnectionLost, EngineSilent, EngineUnavailable, JobError, StreamBroken
from proxy.wire.client import Client
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


async def asked(client: Client) -> None:
    answer = await client.ask("GET", "/x")
    while await answer.read():
        pass


@pytest.mark.parametrize(
    ("says", "expected"), [(b"", ConnectionLost), (HALF, StreamBroken), (None, EngineSilent)]
)
async def test_each_loss_has_its_name(says: bytes | None, expected: type[JobError]) -> None:
    async with engine(says) as (url, _), asyncio.timeout(PATIENCE):
        silence = 0.2 if says is None else PATIENCE
        found = settings.read({"ENGINE_URL": url, "REQUEST_IDLE_TIMEOUT": str(silence)})
        client = clients.client(found, {})
        with pytest.raises(JobError) as caught:
            await asked(client)
        client.close()
    assert type(caught.value) is expected


async def test_an_engine_that_is_not_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    client = clients.client(settings.read({"ENGINE_URL": url}), {})
    with pytest.raises(EngineUnavailable, match="cannot be reached"):
        await client.ask("GET", "/x")
