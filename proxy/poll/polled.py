"""What a poll for jobs brings: JSON text -> jobs, each for itself. Pure.

A poll brings up to hundreds of jobs in one text. One that cannot be read, for a number of 5,000
digits or a thousand brackets, must not take the others with it, and one that takes long to read
must not hold up those that run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Job = dict[str, Any]

#: Values and names of one job: to read that many takes a tenth of a second. A text of any length is
#: one of them.
MOST_VALUES = 400_000

_LARGE = 256 * 1024  # bytes: less is read in one piece, in a few milliseconds
_TURN = 10_000  # tokens that are looked at before others have their turn

#: A string as a whole, whatever it holds, a sign that structures, or a number of no use.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},:]|[0-9]{1000,}+', re.DOTALL)
#: What may be the id of a job: it stands in addresses, headers, logs and lines of our own.
_ID = re.compile(r"[!-~]{1,200}")
_OPEN, _CLOSE = (b"[", b"{"), (b"]", b"}")
_NEXT = (b",", b":")
_BETWEEN = b" \t\r\n,[]"
_MANY_DIGITS = "an integer has too many digits"
_DEEP = "it is nested too deeply"
_MANY_VALUES = (
    f"it has more than {MOST_VALUES:,} values and names; send text instead of lists, or less"
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A job that cannot be read. `id` is None where that cannot be read either."""

    id: str | None
    why: str


@dataclass(frozen=True, slots=True)
class _Part:
    """The text of one job, how many values it has about, and its id as it is written."""

    text: bytes
    values: int = 0
    name: bytes | None = None
    long_number: bool = False


def read(text: bytes) -> Iterator[Job | Unreadable | None]:
    """The jobs in an answer, which is one of them or a list.

    Args:
        text: UTF-8.

    Yields:
        Each job; None where some work was done, and others may have their turn.
    """
    if len(text) <= _LARGE:
        found, why = _parsed(text)
        if why is None:
            yield from map(_checked, found if isinstance(found, list) else [found])
            return
    found = False
    for part in _parts(text):
        if part is None:
            yield None
            continue
        found = True
        if part.values > MOST_VALUES:
            yield Unreadable(_id(part), _MANY_VALUES)
        elif part.long_number:
            yield Unreadable(_id(part), _MANY_DIGITS)
        else:
            yield _alone(part)
        yield None
    if not found and text.strip(_BETWEEN):
        yield _alone(_Part(text))


def _parsed(text: bytes) -> tuple[Any, str | None]:
    """What `text` holds; or why it cannot be read."""
    try:
        return json.loads(text), None
    except RecursionError:
        return None, _DEEP
    except json.JSONDecodeError as reason:
        return None, f"it is not JSON: {reason.msg}"
    except UnicodeDecodeError:
        return None, "it is not UTF-8"
    except ValueError:
        return None, _MANY_DIGITS


def _checked(found: Any) -> Job | Unreadable:
    """A job as the platform gives it, or what is wrong with it."""
    if not isinstance(found, dict):
        return Unreadable(None, "it is no object")
    name = _sound(found.get("id"))
    if name is None:
        return Unreadable(None, "it has no id of printable ASCII")
    if "input" not in found:
        return Unreadable(name, "it has no input")
    found["id"] = name
    return found


def _sound(name: Any) -> str | None:
    """The id as text; None where it is none."""
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    return name if isinstance(name, str) and _ID.fullmatch(name) else None


def _alone(part: _Part) -> Job | Unreadable:
    found, why = _parsed(part.text)
    return _checked(found) if why is None else Unreadable(_id(part), why)


def _id(part: _Part) -> str | None:
    if part.name is None:
        return None
    return _sound(_parsed(part.name)[0])


def _parts(text: bytes) -> Iterator[_Part | None]:
    """The jobs in `text` that are objects or lists, and what else stands between them."""
    border = int(text.lstrip().startswith(b"["))  # how deep a job stands
    depth = values = end = 0
    start: int | None = None
    name: bytes | None = None
    long_number = False
    key = before = b""
    for number, token in enumerate(_TOKEN.finditer(text), 1):
        if number % _TURN == 0:
            yield None
        sign = token[0]
        if sign in _OPEN:
            if depth == border:
                if other := text[end : token.start()].strip(_BETWEEN):
                    yield _Part(other)
                start, values, name, long_number = token.start(), 0, None, False
            depth += 1
        elif sign in _CLOSE:
            depth -= 1
            if depth == border and start is not None:
                end = token.end()
                yield _Part(text[start:end], values, name, long_number)
                start = None
        elif sign in _NEXT:
            values += 1
        elif sign[:1] != b'"':
            long_number = True
        elif depth == border + 1 and (key, before) == (b'"id"', b":"):
            name = sign
        key, before = before, sign
    if start is not None:
        yield _Part(text[start:], values, name, long_number)  # it was cut off
    elif border and (other := text[end:].strip(_BETWEEN)):
        yield _Part(other)
