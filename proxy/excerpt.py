"""What messages and logs show of a caller's text, or of any value: short, on one line. Pure."""

from __future__ import annotations

import reprlib
from typing import Any

#: Characters of one value. A message holds a few of them.
MOST = 100

_CUT = "..."
_LONG_NUMBER = 10**30  # from here on a number is told by its length


def text(written: str, most: int = MOST) -> str:
    """`written` without quotes, cut; what would break a line or an encoding as an escape."""
    piece = written[:most]
    shown = piece if piece.isprintable() else repr(piece)[1:-1]
    return shown if len(written) <= most and len(shown) <= most else shown[:most] + _CUT


def value(given: Any, most: int = MOST) -> str:
    """Any value as Python writes it, cut: text stands in quotes."""
    if isinstance(given, str):
        piece = repr(given[:most])
        whole = len(given) <= most and len(piece) <= most + 2
        return piece if whole else f"{piece[: most - 1]}{_CUT}{piece[-1]}"
    if isinstance(given, int):
        return _number(given)
    return text(_Shown().repr(given), most)


def _number(given: int) -> str:
    """A number; one of very many digits, which Python may refuse to write, by its length."""
    if abs(given) < _LONG_NUMBER:
        return repr(given)
    digits = int(given.bit_length() * 0.30103) + 1  # log10(2), and at most one too many
    return f"a number of about {digits} digits"


class _Shown(reprlib.Repr):
    """Looks at a few levels and a few entries, however large the value is."""

    def repr_int(self, given: int, _level: int) -> str:
        """A number of any length."""
        return _number(given)
