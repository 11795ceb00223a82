"""Posts over connections that are kept, and what becomes of them when those break."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bench.around import certificate
from proxy.platform import connection as connections
from proxy.platform.posts import Origin, Posts, request
from tests.client import PATIENCE

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Speaks raw bytes. `says` are its next answers; b"" closes the connection instead."""

    def __init__(self) -> None:
        self.says: list[bytes] = []
        self.bodies: list[bytes] = []
        self.heads: list[bytes] = []
        self.connections = 0
        self.before: Callable[[], Awaitable[object]] | None = None
        self.open: set[asyncio.StreamWriter] = set()

    async def close(self) -> None:
        """End what is open, and see that it has."""
        for writer in list(self.open):
            writer.transport.abort()
        await asyncio.sleep(0.01)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(size))
                if self.before is not None:
                    await self.before()
                said = self.says.pop(0) if self.says else OK
                writer.write(said)
                await writer.drain()
                if not said or b"close" in said:
                    break
        writer.close()


class Parts:
    """A client, its server, and where that is."""

    def __init__(self, server: Server, origin: Origin) -> None:
        self.server = server
        self.origin = origin
        self.posts = Posts()

    async def post(self, body: bytes = b"body") -> int:
        _, head = request(f"http://{self.origin.name}/a?b=c", {"X-Some": "header"})
        async with asyncio.timeout(PATIENCE):
            return await self.posts.post(self.origin, head, body)


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    one = Parts(server, Origin("127.0.0.1", port, tls=False))
    yield one
    one.posts.close()
    await server.close()
    listening.close()


def test_the_head_of_a_request() -> None:
    origin, head = request("https://[::1]:444/v2/x?a=b&c=d", {"Authorization": "key"})
    assert origin == Origin("::1", 444, tls=True)
    assert head == (
        b"POST /v2/x?a=b&c=d HTTP/1.1\r\nHost: [::1]:444\r\nAuthorization: key\r\nContent-Length: "
    )
    assert request("https://host/", {})[1].startswith(b"POST / HTTP/1.1\r\nHost: host\r\n")


@pytest.mark.parametrize("url", ["ftp://x/", "JOB_DONE_URL", "http:///x", ""])
def test_what_is_no_url_is_named(url: str) -> None:
    with pytest.raises(ValueError, match="no URL of http"):
        request(url, {})


def test_no_header_can_smuggle_in_another() -> None:
    with pytest.raises(ValueError, match="line break"):
        request("http://host/", {"X-Request-ID": "a\r\nX-Other: b"})


async def test_a_connection_is_kept(parts: Parts) -> None:
    for _ in range(3):
        assert await parts.post() == 200
    assert parts.server.connections == 1
    assert parts.server.bodies == [b"body"] * 3
    assert parts.server.heads[0].startswith(b"POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nlarge", 400),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 200),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201),
    ],
)
async def test_answers_of_all_forms(parts: Parts, answer: bytes, status: int) -> None:
    parts.server.says = [answer]
    assert await parts.post() == status
    assert await parts.post() == 200
    assert parts.server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 500 close\r\n\r\nthe body ends with the connection",
    ],
)
async def test_an_answer_can_end_with_its_connection(parts: Parts, answer: bytes) -> None:
    parts.server.says = [answer]
    assert await parts.post() == 500
    assert await parts.post() == 200
    assert parts.server.connections == 2


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


async def test_an_answer_that_breaks_off_is_told(parts: Parts) -> None:
    await parts.post()
    parts.server.says = [b"HTTP/1.1 200 OK\r\nclose: "]
    with pytest.raises(ConnectionError):
        await parts.post()


async def test_what_is_not_http_is_told(parts: Parts) -> None:
    parts.server.says = [b"SSH-2.0-close\r\n\r\n"]
    with pytest.raises(ConnectionError, match="not HTTP"):
        await parts.post()


async def test_silence_is_told(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_SILENCE", 0.1)
    parts.server.before = asyncio.Event().wait
    with pytest.raises(TimeoutError):
        await parts.post()
    parts.server.before = None
    assert await parts.post() == 200
    assert parts.server.connections == 2


async def test_nobody_at_home_is_told() -> None:
    posts = Posts()
    with pytest.raises(ConnectionError):
        await posts.post(Origin("127.0.0.1", 1, tls=False), b"", b"")
    with pytest.raises(ConnectionError):
        await posts.post(Origin("host.invalid", 1, tls=False), b"", b"")


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


async def test_one_that_is_cancelled_while_it_waits_leaves_its_place(parts: Parts) -> None:
    task = asyncio.create_task(parts.post())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await parts.post() == 200


async def test_a_large_body_goes_in_pieces(parts: Parts) -> None:
    body = bytes(range(256)) * 20_000
    assert await parts.post(body) == 200
    assert parts.server.bodies == [body]


async def test_a_large_body_that_is_refused_early(parts: Parts) -> None:
    """The answer comes before the body has gone; nobody reads the rest."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as listening:
        parts.origin = Origin("127.0.0.1", listening.sockets[0].getsockname()[1], tls=False)
        assert await parts.post(b"x" * 50_000_000) == 413


async def test_after_a_thaw_old_connections_are_not_used(parts: Parts) -> None:
    await parts.post()
    parts.posts.thawed()
    assert await parts.post() == 200
    assert parts.server.connections == 2


async def test_after_a_thaw_a_silent_answer_is_given_up_soon(parts: Parts) -> None:
    """Long before the 30 s that it could take otherwise."""
    parts.server.before = asyncio.Event().wait
    task = asyncio.create_task(parts.post())
    while not parts.server.bodies:
        await asyncio.sleep(0.01)
    parts.posts.thawed()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(20):
            await task


async def test_tls_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the certificates that the environment trusts."""
    served, trusted = certificate.make(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(served)
    server = Server()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context) as listening:
        origin = Origin("127.0.0.1", listening.sockets[0].getsockname()[1], tls=True)
        _, head = request(f"https://{origin.name}/", {})
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
