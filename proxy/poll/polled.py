"""What a poll for jobs brings: JSON text -> jobs, each for itself. Pure.

A poll brings up to hundreds of jobs in one text. One that cannot be read, for a number of 5,000
digits or a thousand brackets, must not take the others with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Job = dict[str, Any]

#: A string as a whole, whatever it holds, or a sign that structures.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:]', re.DOTALL)
_OPEN, _CLOSE = b"[{", b"]}"
_MANY_DIGITS = "an integer has too many digits"
_DEEP = "it is nested too deeply"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A job that cannot be read. `id` is None where that cannot be read either."""

    id: str | None
    why: str


def read(text: bytes) -> list[Job | Unreadable]:
    """The jobs in an answer, which is one of them or a list.

    Args:
        text: UTF-8.
    """
    found, why = _parsed(text)
    if why is None:
        return [_checked(one) for one in (found if isinstance(found, list) else [found])]
    return [_alone(part) for part in _parts(text)] or [Unreadable(None, why)]


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
    name = found.get("id")
    if not isinstance(name, str | int) or isinstance(name, bool) or name == "":
        return Unreadable(None, "it has no id")
    if "input" not in found:
        return Unreadable(str(name), "it has no input")
    found["id"] = str(name)
    return found


def _alone(text: bytes) -> Job | Unreadable:
    """One job of several, of which some cannot be read."""
    found, why = _parsed(text)
    return _checked(found) if why is None else Unreadable(_id(text), why)


def _parts(text: bytes) -> Iterator[bytes]:
    """The elements of the list in `text`; all of it where it is none."""
    if not text.lstrip().startswith(b"["):
        yield text
        return
    depth = start = 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in _OPEN:
            depth += 1
            start = token.end() if depth == 1 else start
        elif sign in _CLOSE:
            depth -= 1
        if (sign == b"," and depth == 1) or (sign in _CLOSE and depth == 0):
            if part := text[start : token.start()].strip():
                yield part
            start = token.end()
    if depth > 0 and (part := text[start:].strip()):
        yield part  # the list was cut off


def _id(text: bytes) -> str | None:
    """The id of the job in `text`, as far as one can tell."""
    depth, before = 0, [b"", b""]
    for token in _TOKEN.finditer(text):
        sign = token[0]
        depth += (sign in _OPEN) - (sign in _CLOSE)
        if depth == 1 and before == [b'"id"', b":"] and sign.startswith(b'"'):
            name, why = _parsed(sign)
            return name if why is None and name else None
        before = [before[1], sign]
    return None
