"""Whether a request's body can be sent: its JSON, or the field that is wrong. Pure.

Python reads more from a job than the engine takes: NaN and infinity, which are no JSON; half a
surrogate pair, which no UTF-8 can carry; numbers of any length; any depth that its own stack bears.
vLLM answers some of these with an empty error 500 and takes others for what they are not.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from proxy import excerpt
from proxy.errors import InvalidInput

#: Objects and lists within each other. vLLM takes 64 in a schema, and its parser ends at about 900.
MOST_DEPTH = 300
#: Digits of a number inside a parameter: a schema may well say that a value is at most 10**28.
MOST_DIGITS = 100
#: A parameter that is a number itself. vLLM's processes tell each other no larger ones.
_LEAST_NUMBER, _MOST_NUMBER = -(2**63), 2**64 - 1

#: Values that are looked at to name the field. Where a fault is found later, the message has to do.
_MOST_LOOKS = 50_000

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ZEROS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else 32 for byte in range(256))
_LONG = b"0" * (MOST_DIGITS + 1)
_LONGEST = 10**MOST_DIGITS
_SURROGATE = re.compile("[\ud800-\udfff]")

Path = tuple[str | int, ...]


def encoded(body: Mapping[str, Any]) -> bytes:
    """The JSON of `body`.

    The encoder, in C, finds most of what cannot be sent. Values are looked at one by one only where
    it failed or where the text has as many brackets, or as many digits in a row, as are too many.

    Raises:
        InvalidInput: something in it cannot be sent; names the field.
    """
    for name, value in body.items():
        if type(value) is int and not _LEAST_NUMBER <= value <= _MOST_NUMBER:
            raise InvalidInput(*_told((name,), "is a number of more than 64 bits"))
    try:
        content = _JSON.encode(body).encode()
    except (ValueError, TypeError, RecursionError):
        raise _fault(body) or InvalidInput("the body cannot be written as JSON") from None
    if content.count(b"[") + content.count(b"{") > MOST_DEPTH and _is_too_deep(body):
        raise _fault(body) or _too_deep(())
    if _LONG in content.translate(_ZEROS) and (fault := _fault(body)) is not None:
        raise fault
    return content


def with_model(content: bytes, model: str) -> bytes:
    """The JSON of a body that names no model, with one."""
    head = b'{"model":' + _JSON.encode(model).encode()
    return head + (b"}" if content == b"{}" else b"," + content[1:])


def _is_too_deep(body: Mapping[str, Any]) -> bool:
    """Level by level: that is quick where a body is wide."""
    values: list[Any] = [body]
    for _ in range(MOST_DEPTH + 1):
        lists = [value for value in values if isinstance(value, list)]
        objects = [value.values() for value in values if isinstance(value, dict)]
        if not lists and not objects:
            return False
        values = list(chain(chain.from_iterable(lists), chain.from_iterable(objects)))
    return True


def _fault(body: Mapping[str, Any]) -> InvalidInput | None:
    """The first thing in `body` that cannot be sent; None where all can."""
    looks = 0
    waiting: list[tuple[Path, Iterator[tuple[str | int, Any]]]] = [((), iter(body.items()))]
    while waiting:
        above, entries = waiting[-1]
        for name, value in entries:
            looks += 1
            if looks > _MOST_LOOKS:
                return InvalidInput(
                    "somewhere in the input is text with half a surrogate pair, a number that is"
                    f" not finite or has over {MOST_DIGITS} digits, or more than {MOST_DEPTH}"
                    " objects and lists within each other"
                )
            path = (*above, name) if len(above) < MOST_DEPTH else above
            if isinstance(name, str) and _SURROGATE.search(name):
                shown = name.encode(errors="backslashreplace").decode()
                return InvalidInput(*_told((*above, shown), "is a name with half a surrogate pair"))
            if wrong := _wrong(value):
                return InvalidInput(*_told(path, wrong))
            if isinstance(value, dict | list):
                if len(waiting) >= MOST_DEPTH:
                    return _too_deep(path)
                inner = value.items() if isinstance(value, dict) else enumerate(value)
                waiting.append((path, iter(inner)))
                break
        else:
            waiting.pop()
    return None


def _wrong(value: Any) -> str | None:
    """What is wrong with a value that stands by itself."""
    if isinstance(value, str):
        found = _SURROGATE.search(value)
        return f"has half of a surrogate pair, {found[0]!r}, at {found.start()}" if found else None
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}, which is no number in JSON"
    if isinstance(value, int) and not -_LONGEST < value < _LONGEST:
        return f"is {excerpt.value(value)}, and {MOST_DIGITS} are the most"
    return None


def _too_deep(path: Path) -> InvalidInput:
    wrong = f"has more than {MOST_DEPTH} objects and lists within each other"
    return InvalidInput(*_told(path[:1], wrong))


def _told(path: Path, wrong: str) -> tuple[str, str | None]:
    """The message, and the field's path: `messages.0.content`."""
    field = excerpt.text(".".join(str(part) for part in path[:20]))
    return f"{field or 'the body'} {wrong}", field or None
