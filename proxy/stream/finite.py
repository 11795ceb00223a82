"""NaN and Infinity, which JSON has not, as null. Pure.

Python reads and writes them, so an engine may send them, in log probabilities for example; a client
in another language refuses the whole answer for one of them.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

_decode = json.JSONDecoder(parse_constant=lambda _name: None).decode
_strict = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

#: A string as a whole, so that a word in it is left alone, or one of them.
_STRING_OR_CONSTANT = re.compile(rb'"(?:[^"\\]++|\\.)*+"|-?Infinity|NaN', re.DOTALL)


def parsed(data: bytes) -> Any:
    """What JSON says; bytes in a text that are no UTF-8 are shown as such.

    Raises:
        ValueError: it is no JSON, or none that can be read: nested too deep, a number too long.
    """
    try:
        return _decode(data.decode(errors="replace"))
    except RecursionError:
        raise ValueError("nested too deep") from None


def encoded(value: Any) -> bytes:
    """JSON in UTF-8. A lone surrogate, which UTF-8 has not, is written as JSON's escape for it."""
    try:
        text = _strict(value)
    except ValueError:  # an infinity that came as a number, such as 1e999
        text = _strict(_without(value))
    return text.encode(errors="backslashreplace")


def suspicious(data: bytes) -> bool:
    """Whether it names one, perhaps in a text."""
    return b"NaN" in data or b"Infinity" in data


def valid(data: bytes) -> bytes:
    """`data`, which is JSON but for them; looked through only where it is suspicious."""
    if not suspicious(data):
        return data
    return _STRING_OR_CONSTANT.sub(
        lambda found: found[0] if found[0][:1] == b'"' else b"null", data
    )


def _without(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _without(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without(each) for each in value]
    return value
