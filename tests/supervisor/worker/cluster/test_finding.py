"""Where rank 0 is, by name servers of all kinds."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

import pytest

from supervisor.errors import OutOfResources
from supervisor.worker.cluster import finding
from supervisor.worker.cluster.finding import Finding, alike
from tests.client import PATIENCE


class Server:
    """A name server that answers when a test wants it to."""

    def __init__(self, *found: str) -> None:
        self.found = found
        self.fault = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        self.looks = 0
        self.speaks = threading.Event()
        self.speaks.set()

    def __call__(self, _name: str) -> tuple[str, ...]:
        self.looks += 1
        self.speaks.wait(PATIENCE)
        if not self.found:
            raise self.fault
        return self.found


async def reaches(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("address", ["10.0.0.2", "fd00::2"])
async def test_an_address_is_never_looked_up(address: str) -> None:
    server = Server()
    rank_0 = Finding(address, None, server)
    assert await rank_0.places(PATIENCE) == (address,)
    rank_0.look_again()
    assert (rank_0.fault, server.looks) == ("", 0)


async def test_a_look_that_takes_long_goes_on_and_no_second_one_begins() -> None:
    server = Server("10.0.0.2")
    server.speaks.clear()
    rank_0 = Finding("head", None, server)
    for _ in range(3):
        assert await rank_0.places(0.05) == ()
        rank_0.look_again()
        assert rank_0.fault == "no name server has answered yet where head is"
    server.speaks.set()
    assert await rank_0.places(PATIENCE) == ("10.0.0.2",)
    assert (rank_0.fault, server.looks) == ("", 1)


async def test_what_was_found_counts_until_something_else_is() -> None:
    server = Server("10.0.0.2")
    rank_0 = Finding("head", None, server)
    await rank_0.places(PATIENCE)
    server.speaks.clear()
    rank_0.look_again()
    assert await rank_0.places(0.0) == ("10.0.0.2",), "a look that takes long"
    server.found = ()
    server.speaks.set()
    await reaches(lambda: rank_0.fault != "")
    why = "Temporary failure in name resolution"
    assert rank_0.fault == f"the name head cannot be resolved ({why})"
    assert await rank_0.places(0.0) == ("10.0.0.2",), "one in vain"
    server.found = ("10.0.0.7",)
    rank_0.look_again()
    await reaches(lambda: rank_0.fault == "")
    assert await rank_0.places(0.0) == ("10.0.0.7",)


async def test_where_a_name_that_is_gone_led_nobody_is_asked() -> None:
    """That address may be the one of another cluster's rank 0 soon."""
    server = Server("10.0.0.2")
    rank_0 = Finding("head", None, server)
    await rank_0.places(PATIENCE)
    server.found = ()
    server.fault = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    rank_0.look_again()
    await reaches(lambda: rank_0.fault != "")
    assert await rank_0.places(PATIENCE) == ()


async def test_where_rank_0_answered_it_is_asked_first() -> None:
    server = Server("10.0.0.2", "10.0.0.3", "10.0.0.4")
    rank_0 = Finding("head", None, server)
    await rank_0.places(PATIENCE)
    rank_0.answered("10.0.0.3")
    assert await rank_0.places(0.0) == ("10.0.0.3", "10.0.0.2", "10.0.0.4")
    server.found = ("10.0.0.4", "10.0.0.3")
    rank_0.look_again()
    await reaches(lambda: server.looks == 2)
    while len(places := await rank_0.places(0.0)) == 3:
        await asyncio.sleep(0.01)
    assert places == ("10.0.0.3", "10.0.0.4")


async def test_only_addresses_of_the_own_family_lead_there() -> None:
    assert alike(("10.0.0.2", "fd00::2"), "fd00::3") == ("fd00::2",)
    assert alike(("10.0.0.2", "fd00::2"), None) == ("10.0.0.2", "fd00::2")
    rank_0 = Finding("head", "fd00::3", Server("10.0.0.2"))
    assert await rank_0.places(PATIENCE) == ()
    assert rank_0.fault == "head is 10.0.0.2, and this node's own address is fd00::3"


async def test_a_look_for_which_no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(_: Callable[[], object]) -> object:
        raise OutOfResources("no more threads are allowed here")

    monkeypatch.setattr(finding, "in_thread", none)
    rank_0 = Finding("head", None, Server())
    assert await rank_0.places(PATIENCE) == ()
    assert rank_0.fault == "the name head cannot be resolved: no more threads are allowed here"
