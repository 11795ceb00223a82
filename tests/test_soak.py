"""What the soak sees in what a stream's reader has got."""

from __future__ import annotations

from typing import Any

import pytest

from tests.soak import in_order, over_the_seam

WAITING = ": the engine was lost, and the answer goes on when it is back\n\n"


def posts(*texts: str) -> list[dict[str, Any]]:
    return [{"time": 10.0 + number, "output": text} for number, text in enumerate(texts)]


def token(*numbers: int) -> str:
    return "".join(f'data: {{"choices": [{{"text": " w{each}"}}]}}\n\n' for each in numbers)


ROLE = 'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\n'


@pytest.mark.parametrize(
    ("read", "sound"),
    [
        ([], True),
        ([token(0, 1), WAITING, token(2), 'data: {"error": {"message": "no"}}\n\n'], True),
        ([token(0, 1), WAITING, token(1, 2)], False),
        ([token(0, 1), WAITING, token(3)], False),
        ([token(1)], False),
    ],
)
def test_a_token_that_is_missing_or_comes_twice_shows(read: list[str], sound: bool) -> None:
    assert in_order(posts(*read)) is sound


def test_when_the_next_engine_s_first_token_came() -> None:
    given = posts(ROLE, token(0), WAITING, WAITING, token(1))
    assert over_the_seam(given) == (12.0, 14.0)
    assert over_the_seam(given[:4]) is None
    assert over_the_seam(given[:2]) is None
