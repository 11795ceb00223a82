"""When batches are handed over, against a source and a clock that do what they are told."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from proxy.errors import StreamBroken
from proxy.settings import Ramp
from proxy.stream import batches
from proxy.stream.pace import Pace
from proxy.stream.ramp import Batches


def token(number: int) -> bytes:
    return b'data: {"choices":[{"text":"%d"}]}\n\n' % number


class Source:
    """Gives its pieces one by one; `None` among them means that nothing is there yet."""

    def __init__(self, pieces: Iterable[bytes | None], fault: Exception | None = None) -> None:
        self._pieces = list(pieces)
        self._fault = fault

    @property
    def ended(self) -> bool:
        return not self._pieces

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


async def test_a_last_event_without_a_border_is_handed_over() -> None:
    assert await sizes([token(0)[:-2]], None, Ramp()) == [1]


async def test_what_has_come_is_handed_over_before_the_fault() -> None:
    source = Source([token(0), token(1)], StreamBroken("cut"))
    found = batches.batches(source, Batches(Ramp(first=9)), pace(5.0))
    assert await anext(found) == [token(0), token(1)]
    with pytest.raises(StreamBroken):
        await anext(found)


NOW = 100.0


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
