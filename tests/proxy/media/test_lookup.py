"""Names are looked up in threads, once for all who ask, and remembered for a while."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import pytest

from proxy.media import lookup
from proxy.media.lookup import Lookup, TooLate


class Names:
    """Name servers that know `a.example`, and answer when they may."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may = threading.Event()
        self.may.set()
        self.now = 0.0

    def __call__(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        self.may.wait()
        if host != "a.example":
            raise OSError(-2, "Name or service not known")
        return ("93.184.216.34",)


@pytest.fixture
def names() -> Iterator[Names]:
    one = Names()
    yield one
    one.may.set()


async def test_it_is_found_and_remembered(names: Names) -> None:
    one = Lookup(names, lambda: names.now)
    for _ in range(3):
        assert await one.addresses("a.example") == ("93.184.216.34",)
    assert names.asked == ["a.example"]
    names.now = 31
    await one.addresses("a.example")
    assert names.asked == ["a.example"] * 2


async def test_what_is_not_found_is_asked_for_again_sooner(names: Names) -> None:
    one = Lookup(names, lambda: names.now)
    assert await one.addresses("b.example") == ()
    assert await one.addresses("b.example") == ()
    names.now = 6
    assert await one.addresses("b.example") == ()
    assert names.asked == ["b.example"] * 2


async def test_many_who_ask_at_once_ask_once_and_one_who_goes_ends_it_for_nobody(
    names: Names,
) -> None:
    names.may.clear()
    one = Lookup(names, lambda: names.now)
    asking = [asyncio.create_task(one.addresses("a.example")) for _ in range(20)]
    while not names.asked:
        await asyncio.sleep(0.01)
    asking[0].cancel()
    await asyncio.sleep(0)
    names.may.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [("93.184.216.34",)] * 19
    assert names.asked == ["a.example"]


async def test_one_that_never_answers_is_not_waited_for(names: Names) -> None:
    """Nor do more than a few of them take threads; a name that is known is still known."""
    one = Lookup(names, lambda: names.now, within=0.2)
    assert await one.addresses("a.example")
    names.may.clear()
    silent = [f"{number}.example" for number in range(100)]
    before = threading.active_count()
    found = await asyncio.gather(*map(one.addresses, silent), return_exceptions=True)
    assert [type(each) for each in found] == [TooLate] * 100
    assert threading.active_count() - before <= 16
    assert await one.addresses("a.example")
    names.may.set()


async def test_its_threads_are_free_again(names: Names) -> None:
    names.may.clear()
    one = Lookup(names, lambda: names.now, within=0.1)
    silent = [one.addresses(f"{number}.example") for number in range(40)]
    await asyncio.gather(*silent, return_exceptions=True)
    names.may.set()
    found: tuple[str, ...] = ()
    async with asyncio.timeout(60):
        while not found:
            with contextlib.suppress(TooLate):
                found = await one.addresses("a.example")
            await asyncio.sleep(0.01)


async def test_it_does_not_grow(names: Names) -> None:
    one = Lookup(names, lambda: names.now)
    for number in range(600):
        await one.addresses(f"{number}.example")
    assert len(one._known) <= 512


async def test_the_c_library_knows_this_machine() -> None:
    assert "127.0.0.1" in await Lookup().addresses("localhost")
    assert await Lookup().addresses("nobody.invalid") == ()
    assert await Lookup().addresses("\udcff.example") == ()
    assert lookup.system("127.0.0.1") == ("127.0.0.1",)
