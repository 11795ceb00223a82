"""When batches are handed over, against a source and a clock that do what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from proxy.errors import StreamBroken
from proxy.settings import Ramp
from proxy.stream import batches
from proxy.stream.pace import Pace
from proxy.stream.ramp import Batches
from tests.client import PATIENCE


def token(number: int) -> bytes:
    return b'data: {"choices":[{"text":"%d"}]}\n\n' % number


class Source:
    """Gives its pieces one by one; `None` among them means that nothing is there yet."""

    def __init__(self, pieces: Iterable[bytes | None], fault: Exception | None = None) -> None:
        self._pieces = list(pieces)
        self._fault = fault

    @property
    def ended(self) -> bool:
        return not self._pieces and self._fault is None

    @property
    def more(self) -> bool:
        return False

    def ready(self) -> bytes:
        if not self._pieces:
            return b""
        if self._pieces[0] is None:
            self._pieces.pop(0)
            return b""
        return self._pieces.pop(0) or b""

    async def read(self) -> bytes:
        while self._pieces and self._pieces[0] is None:
            self._pieces.pop(0)
        if self._pieces:
            return self._pieces.pop(0) or b""
        if self._fault is not None:
            raise self._fault
        return b""


class Endless(Source):
    """Its body never ends."""

    @property
    def ended(self) -> bool:
        return False

    async def read(self) -> bytes:
        if not (data := await super().read()):
            await asyncio.Event().wait()
        return data


class Fed(Source):
    """Has what is put into it."""

    def __init__(self) -> None:
        super().__init__(())
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()

    @property
    def ended(self) -> bool:
        return False

    def ready(self) -> bytes:
        return b"" if self.pieces.empty() else self.pieces.get_nowait()

    async def read(self) -> bytes:
        return await self.pieces.get()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Clock(Pace):
    """A clock that stands still between the test's own steps."""

    time = 100.0

    def now(self) -> float:
        return self.time

    async def until(self, when: float) -> None:
        assert when > self.time
        await asyncio.sleep(0)


class Slow(Pace):
    """Looks as rarely as the budget says."""

    def glance(self) -> float:
        return self.budget() or 0.0


@pytest.fixture(params=[False, True], ids=["budget", "exact"])
def exact(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def sizes(
    pieces: Iterable[bytes | None], limit: float | None, ramp: Ramp, *, exact: bool = False
) -> list[int]:
    found = batches.batches(Source(pieces), Batches(ramp, exact=exact), pace(limit))
    return [len(batch) async for batch in found]


def pace(limit: float | None) -> Pace:
    """The budget in seconds; None: full batches only."""
    return Pace(0 if limit is None else limit * 1000)


async def test_without_a_budget_batches_are_exactly_the_ramps() -> None:
    pieces = [token(number) for number in range(100)]
    assert await sizes(pieces, None, Ramp(), exact=True) == [1, 3, 9, 27, 50, 10]
    whole = [b"".join(pieces)]
    assert await sizes(whole, None, Ramp(), exact=True) == [1, 3, 9, 27, 50, 10]


async def test_a_token_waits_no_longer_than_the_budget() -> None:
    """Two tokens come, then nothing: they go after the budget, not with the full batch of 28."""
    rest = b"".join(map(token, range(2, 30)))
    pieces = [token(0) + token(1), *[None] * 20, rest]
    assert await sizes(pieces, 0.01, Ramp(growth=1, most=28)) == [2, 28]


async def test_the_end_is_handed_over_at_once() -> None:
    assert await sizes([token(0) + token(1)], 3600, Ramp(first=10)) == [2]


DONE = b"data: [DONE]\n\n"
COMMENT = b": keep-alive\n\n"
FOREVER = 3600.0  # seconds: whoever waits for that fails by the test's own limit


@pytest.mark.parametrize("pieces", [[token(0) + token(1) + DONE], [token(0), token(1), DONE]])
async def test_done_is_the_end_whatever_comes_of_the_body(pieces: list[bytes]) -> None:
    """It goes with what waits; a body that stays open holds nothing up."""
    waiting = Batches(Ramp(first=10))
    source = Endless(pieces)
    found = [batch async for batch in batches.batches(source, waiting, pace(FOREVER))]
    assert found == [[token(0), token(1), DONE]]
    assert waiting.over


async def test_the_rest_of_a_body_that_is_done_is_read() -> None:
    """So that its connection can be used again."""
    source = Source([token(0), DONE, b""])
    async for _ in batches.batches(source, Batches(Ramp()), pace(0.01)):
        pass
    assert source.ended


async def test_the_end_is_looked_for_soon_after_the_last_token() -> None:
    """The last event has come, the end has not, and the next look is far away."""
    last = b'data: {"choices":[{"text":"x","finish_reason":"stop"}]}\n\n'
    source = Source([last, None, None, b'data: {"choices":[],"usage":{}}\n\n', None, DONE])
    async with asyncio.timeout(PATIENCE):
        found = batches.batches(source, Batches(Ramp(first=10)), Slow(FOREVER * 1000))
        assert [len(batch) async for batch in found] == [3]


async def test_a_comment_goes_at_once_where_nothing_has_gone_out(exact: bool) -> None:
    """It opens no ramp and waits for no token."""
    clock, source = Clock(0 if exact else FOREVER * 1000), Fed()
    waiting = Batches(Ramp(first=2), exact=exact)
    found = batches.batches(source, waiting, clock)
    output = asyncio.ensure_future(anext(found))
    await settle()
    clock.time += 1
    source.pieces.put_nowait(COMMENT)
    assert await output == [COMMENT]
    assert (waiting.size, waiting.seen) == (2, 0)
    output = asyncio.ensure_future(anext(found))
    source.pieces.put_nowait(token(0))
    await settle()
    clock.time += 1
    source.pieces.put_nowait(COMMENT)
    assert await output == [COMMENT], "the token waits for another one by the ramp"
    await found.aclose()


async def test_a_comment_that_comes_while_tokens_flow_goes_with_them() -> None:
    pieces = [token(0), COMMENT, token(1), COMMENT + token(2) + COMMENT]
    found = batches.batches(Source(pieces), Batches(Ramp(most=1)), pace(0.01))
    assert [batch async for batch in found] == [
        [token(0)],
        [COMMENT, token(1)],
        [COMMENT, token(2), COMMENT],
    ]


async def test_a_last_event_without_a_border_is_handed_over() -> None:
    assert await sizes([token(0)[:-2]], None, Ramp()) == [1]


async def test_what_has_come_is_handed_over_before_the_fault() -> None:
    source = Source([token(0), token(1)], StreamBroken("cut"))
    found = batches.batches(source, Batches(Ramp(first=9)), pace(5.0))
    assert await anext(found) == [token(0), token(1)]
    with pytest.raises(StreamBroken):
        await anext(found)


NOW = 100.0


async def test_before_the_first_token_nothing_is_handed_over_with_a_fault() -> None:
    """The role alone is no output: the whole can be asked for again."""
    role = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
    found = batches.batches(Source([role], StreamBroken("cut")), Batches(Ramp()), pace(FOREVER))
    with pytest.raises(StreamBroken):
        await anext(found)


@pytest.mark.parametrize(
    ("since", "budget", "full_in", "glance", "expected"),
    [
        (NOW, 0.035, 9.0, 9.0, 0.035),  # the budget of what has just come
        (NOW - 0.03, 0.035, 9.0, 9.0, 0.005),  # of what has waited for most of it
        (NOW - 0.05, 0.035, 9.0, 9.0, -0.015),  # it is over: at once
        (NOW, 0.25, 0.1, 9.0, 0.1),  # the batch is full before
        (NOW, 0.25, 0.1, 0.05, 0.05),  # nobody waits for longer than a glance
        (NOW, 0.25, 0.0001, 9.0, 0.002),  # nor wakes for next to nothing
        (NOW, 0.001, 0.0001, 9.0, 0.001),  # unless the budget says so
    ],
)
def test_the_next_look(
    since: float, budget: float, full_in: float, glance: float, expected: float
) -> None:
    found = batches.next_look(NOW, since, budget, full_in, glance)
    assert found - NOW == pytest.approx(expected)
