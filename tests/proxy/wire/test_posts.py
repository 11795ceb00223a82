"""Posts over connections that are kept, and what becomes of them when those break."""

from __future__ import annotations

import asyncio

import pytest

from proxy.wire.pool import Origin
from proxy.wire.posts import Posts
from tests.proxy.wire.conftest import Parts


async def test_a_connection_is_kept(parts: Parts) -> None:
    for _ in range(3):
        assert await parts.post() == 200
    assert parts.server.connections == 1
    assert parts.server.bodies == [b"body"] * 3
    assert parts.server.heads[0].startswith(b"POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")


async def test_a_kept_connection_that_is_closed_costs_no_post(parts: Parts) -> None:
    """Whether the end has been seen before the next post, or comes in place of its answer."""
    await parts.post()
    for writer in parts.server.open:
        writer.close()
    await asyncio.sleep(0.05)
    assert await parts.post() == 200
    parts.server.says = [b""]
    assert await parts.post() == 200
    assert parts.server.connections == 3


async def test_a_new_connection_that_breaks_is_told(parts: Parts) -> None:
    parts.server.says = [b""]
    with pytest.raises(ConnectionError):
        await parts.post()


async def test_nobody_at_home_is_told() -> None:
    posts = Posts()
    with pytest.raises(ConnectionError):
        await posts.post(Origin("127.0.0.1", 1, tls=False), b"", b"")
    with pytest.raises(ConnectionError):
        await posts.post(Origin("host.invalid", 1, tls=False), b"", b"")


async def test_a_post_that_is_cancelled_takes_its_connection_along(parts: Parts) -> None:
    """Its answer would be taken for that of the next one."""
    parts.server.before = asyncio.Event().wait
    task = asyncio.create_task(parts.post())
    while not parts.server.bodies:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    parts.server.before = None
    assert await parts.post() == 200
    assert parts.server.connections == 2


async def test_after_a_thaw_old_connections_are_not_used(parts: Parts) -> None:
    await parts.post()
    parts.posts.thawed()
    assert await parts.post() == 200
    assert parts.server.connections == 2
