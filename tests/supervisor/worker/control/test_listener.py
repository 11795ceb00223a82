"""Accepting connections, also without descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import resource
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor.worker.control.connection import Connection
from supervisor.worker.control.crowd import Crowd
from supervisor.worker.control.listener import Listener, listen
from supervisor.worker.control.message import Answer
from tests.client import PATIENCE
from tests.processes import free_port


async def listening(port: int, crowd: Crowd) -> Listener:
    sockets = await listen("127.0.0.1", port)
    loop = asyncio.get_running_loop()
    return Listener(sockets, lambda: Connection(lambda _: Answer(200, b"x"), crowd), crowd, loop)


async def asked(one: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE):
        await loop.sock_sendall(one, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        return await loop.sock_recv(one, 4096)


async def connection_to(port: int) -> socket.socket:
    one = socket.socket()
    one.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", port))
    except OSError:
        one.close()
        raise
    return one


async def test_each_address_of_a_name_is_listened_on_and_a_port_has_one_listener() -> None:
    port = free_port()
    sockets = await listen("localhost", port)
    assert {each.getsockname()[0] for each in sockets} & {"127.0.0.1", "::1"}
    with pytest.raises(OSError, match=str(port)) as refused:
        await listen("localhost", port)
    assert refused.value.errno == errno.EADDRINUSE
    for each in sockets:
        each.close()
    with pytest.raises(OSError, match="assign"):
        await listen("203.0.113.7", port)


async def test_beyond_the_limit_the_newest_are_served() -> None:
    port, crowd = free_port(), Crowd(10)
    listener = await listening(port, crowd)
    many = [await connection_to(port) for _ in range(50)]
    assert (await asked(many[-1])).startswith(b"HTTP/1.1 200")
    assert len(crowd) <= 10
    for each in many:
        each.close()
    await listener.close()
    assert len(crowd) == 0
    with pytest.raises(ConnectionRefusedError):
        await connection_to(port)


@pytest.fixture
def use_up() -> Iterator[Callable[[], Callable[[], None]]]:
    """Takes every descriptor that this process may have; what it returns gives them back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []

    def give_back() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        while taken:
            os.close(taken.pop())

    def take() -> Callable[[], None]:
        highest = max(int(each.name) for each in Path("/proc/self/fd").iterdir())
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        return give_back

    yield take
    give_back()


async def test_without_a_descriptor_an_idle_connection_gives_its_own(
    use_up: Callable[[], Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    port, crowd = free_port(), Crowd(1000)
    listener = await listening(port, crowd)
    idle = [await connection_to(port) for _ in range(5)]
    while len(crowd) < 5:
        await asyncio.sleep(0.01)
    asking = socket.socket()
    asking.setblocking(False)
    give_back = use_up()
    await asyncio.get_running_loop().sock_connect(asking, ("127.0.0.1", port))
    assert (await asked(asking)).startswith(b"HTTP/1.1 200")
    give_back()
    assert len(crowd) < 6
    assert caplog.messages == []
    await listener.close()
    for each in (*idle, asking):
        each.close()


async def test_without_any_it_waits_and_says_so_once_a_second(
    use_up: Callable[[], Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    port, crowd = free_port(), Crowd(1000)
    listener = await listening(port, crowd)
    asking = socket.socket()
    asking.setblocking(False)
    give_back = use_up()
    await asyncio.get_running_loop().sock_connect(asking, ("127.0.0.1", port))
    while not caplog.messages:
        await asyncio.sleep(0.01)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(caplog.messages) == 1, caplog.messages
    assert "takes no connection for now: Too many open files" in caplog.messages[0]
    give_back()
    assert (await asked(asking)).startswith(b"HTTP/1.1 200")
    await listener.close()
    asking.close()
