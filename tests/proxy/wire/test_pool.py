"""Connections that are made, kept and handed on; by way of posts."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from bench.around import certificate
from proxy.wire.pool import Origin, request
from proxy.wire.posts import Posts
from tests.proxy.wire.conftest import Parts, Server


@pytest.mark.parametrize("url", ["ftp://x/", "JOB_DONE_URL", "http:///x", ""])
def test_what_is_no_url_is_named(url: str) -> None:
    with pytest.raises(ValueError, match="no URL of http"):
        request("POST", url, {})


def test_no_header_can_smuggle_in_another() -> None:
    with pytest.raises(ValueError, match="line break"):
        request("POST", "http://host/", {"X-Request-ID": "a\r\nX-Other: b"})


async def test_many_at_once_each_have_a_connection_and_give_it_back(parts: Parts) -> None:
    gate = asyncio.Event()
    parts.server.before = gate.wait
    async with asyncio.TaskGroup() as group:
        for number in range(200):
            group.create_task(parts.post(b"%d" % number))
        while parts.server.connections < 200:
            await asyncio.sleep(0.01)
        gate.set()
    assert sorted(parts.server.bodies, key=int) == [b"%d" % number for number in range(200)]
    await parts.post()
    assert parts.server.connections == 200


async def test_one_that_is_cancelled_while_it_waits_leaves_its_place(parts: Parts) -> None:
    task = asyncio.create_task(parts.post())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await parts.post() == 200


async def test_a_connection_that_is_being_made_at_the_end_is_not_begun_anew(parts: Parts) -> None:
    """The loop would be closed under it, with a traceback in the log."""
    before = asyncio.all_tasks()
    task = asyncio.create_task(parts.post())
    await asyncio.sleep(0)
    making = asyncio.all_tasks() - before - {task}
    assert making
    parts.posts.close()
    await asyncio.gather(*making, return_exceptions=True)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not [
        each for each in asyncio.all_tasks() - before if "Pool._make" in str(each.get_coro())
    ]
    task.cancel()


async def test_tls_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the certificates that the environment trusts."""
    served, trusted = certificate.make(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(served)
    server = Server()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context) as listening:
        origin = Origin("127.0.0.1", listening.sockets[0].getsockname()[1], tls=True)
        _, head = request("POST", f"https://{origin.name}/", {})
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            await Posts().post(origin, head, b"body")
        for name, value in certificate.trusting(trusted).items():
            monkeypatch.setenv(name, value)
        posts = Posts()
        assert await posts.post(origin, head, b"body") == 200
        assert await posts.post(origin, head, b"x" * 1_000_000) == 200
        posts.close()
        await server.close()
    assert server.connections == 1
