"""The ramp and the budget."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.settings import Ramp
from proxy.stream.ramp import MOST_BYTES, Batches, budget

TOKEN = b'data: {"choices":[{"text":"x"}]}\n\n'
COMMENT = b": nothing\n\n"


def sizes(waiting: Batches, limit: int = 8) -> list[int]:
    return [
        len(waiting.take()) for _ in itertools.takewhile(lambda _: not waiting.empty, range(limit))
    ]


@pytest.mark.parametrize(
    ("ramp", "expected"),
    [
        (Ramp(), [1, 3, 9, 27, 50, 50, 50, 10]),
        (Ramp(first=4, growth=1, most=50), [50] * 4),
        (Ramp(first=1, growth=1.5, most=4), [1, 2, 3, 4, 4, 4, 4, 4]),
        (Ramp(first=100, growth=3, most=10), [10] * 8),
    ],
)
def test_exact_batches_follow_the_ramp(ramp: Ramp, expected: list[int]) -> None:
    waiting = Batches(ramp, exact=True)
    waiting.add([TOKEN] * 200)
    assert sizes(waiting) == expected


def test_a_ramp_of_any_size() -> None:
    """As many batches as make a float infinite."""
    waiting = Batches(Ramp(growth=1e300, most=10**9), exact=True)
    waiting.add([TOKEN] * 5000)
    assert sizes(waiting) == [1, 4999]
    for _ in range(1000):
        waiting.add([TOKEN])
        assert waiting.take() == [TOKEN]


def test_what_has_come_goes_at_once_where_the_budget_is_on() -> None:
    waiting = Batches(Ramp())
    waiting.add([TOKEN] * 120)
    assert sizes(waiting) == [50, 50, 20]


def test_full_means_as_many_tokens_as_the_ramp_says() -> None:
    waiting = Batches(Ramp(first=2))
    waiting.add([COMMENT, TOKEN])
    assert not waiting.full
    waiting.add([TOKEN])
    assert waiting.full


def test_events_without_tokens_go_with_those_before_them() -> None:
    waiting = Batches(Ramp(first=1), exact=True)
    waiting.add([TOKEN, COMMENT, TOKEN])
    assert waiting.take() == [TOKEN, COMMENT]


def test_no_batch_is_over_the_platforms_size() -> None:
    large = b'data: {"choices":[{"text":"' + b"x" * 200_000 + b'"}]}\n\n'
    waiting = Batches(Ramp(first=50))
    waiting.add([large] * 5)
    taken = [waiting.take() for _ in range(3)]
    assert [len(batch) for batch in taken] == [2, 2, 1]
    assert all(sum(map(len, batch)) <= MOST_BYTES for batch in taken)


def test_a_full_batch_of_quotes_fits_the_platform_as_json() -> None:
    """As the SDK sends it: each quote and backslash is escaped."""
    event = b'data: {"choices":[{"text":"' + b'\\"' * 1000 + b'"}]}\n\n'
    waiting = Batches(Ramp(first=5000, most=5000))
    waiting.add([event] * 1000)
    batch = b"".join(waiting.take()).decode()
    assert len(batch) > MOST_BYTES / 2
    assert len(json.dumps({"output": batch}, ensure_ascii=False).encode()) < 1_000_000


@given(
    kinds=st.lists(st.sampled_from([TOKEN, COMMENT])),
    first=st.integers(1, 9),
    growth=st.floats(1, 5),
    most=st.integers(1, 60),
    exact=st.booleans(),
)
def test_every_event_comes_out_once_and_in_order(
    kinds: list[bytes], first: int, growth: float, most: int, exact: bool
) -> None:
    waiting = Batches(Ramp(first, growth, most), exact=exact)
    waiting.add(kinds)
    taken: list[bytes] = []
    while not waiting.empty:
        batch = waiting.take()
        assert 0 < len([event for event in batch if event == TOKEN]) <= most or TOKEN not in batch
        taken += batch
    assert taken == kinds
    assert waiting.tokens == 0


def test_the_budget_grows_with_the_streams() -> None:
    assert budget(1, None) == 0.022
    assert budget(300, None) == pytest.approx(0.05)
    assert budget(10_000, None) == 0.25
    assert budget(300, 20) == 0.02
    assert budget(300, 0) is None
