"""What the text of a setting may say.

Each parser takes the text without white space around it, never empty, and returns the value. It
raises ValueError with the end of a sentence that begins with the name and the text.
"""

from __future__ import annotations

import contextlib
import math
import re
import shlex
from collections.abc import Mapping
from typing import Any

from ..decoding import json_of
from .mode import Mode
from .routes import is_route

_HOST = re.compile(
    r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*"
)
_TRUE = frozenset({"true", "1", "yes", "y", "on", "t"})
_FALSE = frozenset({"false", "0", "no", "n", "off", "f"})
_SHOWN = 100  # characters of what is refused


def is_none(written: str) -> bool:
    """Whether it is the word that older workers took for "not set"."""
    return written.strip().lower() == "none"


def text(written: str) -> str:
    """Any text, as it is."""
    return written


def folder(written: str) -> str:
    """An absolute path."""
    if not written.startswith("/"):
        raise ValueError(
            "is a relative path, and the engine runs in another folder; give the absolute path"
        )
    return written


def json_object(written: str) -> Mapping[str, Any]:
    """An object of JSON."""
    with contextlib.suppress(ValueError, RecursionError):
        if isinstance(found := json_of(written), dict):
            return found
    raise ValueError('is no JSON object: give one like {"enable_thinking": false}')


def token(written: str) -> str:
    """What a header can carry: ASCII that shows, without white space."""
    if not (written.isascii() and written.isprintable()) or " " in written:
        raise ValueError("is not one word of ASCII, as a header can carry it")
    return written


def mode(written: str) -> Mode:
    """One of the three modes, in any case."""
    try:
        return Mode(written.lower())
    except ValueError:
        raise ValueError(f"is not one of {', '.join(Mode)}") from None


def log_format(written: str) -> str:
    """One of the two forms of the log, in any case."""
    if written.lower() not in {"text", "json"}:
        raise ValueError("is neither text nor json")
    return written.lower()


def command(written: str) -> str:
    """A command line, as it is; a shell could split it."""
    try:
        words = shlex.split(written)
    except ValueError:
        words = []
    if not words or not words[0]:
        raise ValueError("is not a command; a quote may be open")
    return written


def keys(written: str) -> tuple[str, ...]:
    """Keys of an API, parted by commas, each as a header of HTTP can carry it."""
    found = tuple(dict.fromkeys(filter(None, (each.strip() for each in written.split(",")))))
    if not found:
        raise ValueError("has no key in it")
    if not all(each.isascii() and each.isprintable() for each in found):
        raise ValueError("has a character that no client can send as a key; use ASCII alone")
    return found


def routes(written: str) -> tuple[str, ...]:
    """Paths on the engine, parted by commas or blanks, each once."""
    found = tuple(dict.fromkeys(written.replace(",", " ").split()))
    for each in found:
        if not is_route(each):
            raise ValueError(
                f"names {each[:_SHOWN]}, which is no route: name each one by its whole path, such"
                " as /sleep; patterns are not known"
            )
    return found


def boolean(written: str) -> bool:
    """True or false in the spellings that users write."""
    word = written.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("is neither true nor false (true, 1, yes, on / false, 0, no, off)")


def unless_off(written: str) -> bool:
    """False for what says off; other words are no fault, for others give the variable a name."""
    return written.strip().lower() not in _FALSE


def warmup(written: str) -> bool | str:
    """On, off, or the absolute path of a file."""
    if written.startswith("/"):
        return written
    try:
        return boolean(written)
    except ValueError:
        raise ValueError(
            "is neither 1 nor 0, nor the absolute path of a file of requests, such as /warmup.jsonl"
        ) from None


def port(written: str) -> int:
    """A TCP port."""
    number = _integer(written)
    if number is None or not 1 <= number <= 65535:
        raise ValueError("is not a port number from 1 to 65535")
    return number


def count(written: str) -> int:
    """A whole number, 0 or more."""
    return _whole(written, least=0)


def positive(written: str) -> int:
    """A whole number, 1 or more."""
    return _whole(written, least=1)


def seconds(written: str) -> float:
    """A time, 0 or more."""
    number = _number(written)
    if not number >= 0:
        raise ValueError("is not a number of seconds, 0 or more")
    return number


def some_seconds(written: str) -> float:
    """A time, more than 0."""
    number = _number(written)
    if not number > 0:
        raise ValueError("is not a number of seconds above 0")
    return number


def amount(written: str) -> float:
    """A number above 0."""
    number = _number(written)
    if not number > 0:
        raise ValueError("is not a number above 0")
    return number


def latency(written: str) -> float | None:
    """Milliseconds, 0 or more; None for `auto`."""
    if written == "auto":
        return None
    number = _number(written)
    if not number >= 0:
        raise ValueError("is neither auto nor a number of milliseconds, 0 or more")
    return number


def growth(written: str) -> float:
    """A factor, 1 or more."""
    number = _number(written)
    if not number >= 1:
        raise ValueError("is not a factor of 1 or more")
    return number


def domains(written: str) -> tuple[str, ...]:
    """Host names, as JSON or parted by commas or white space, in lower case."""
    try:
        given = json_of(written) if written.startswith("[") else re.split(r"[\s,]+", written)
    except ValueError:
        given = []
    names = [name for name in given if name != ""]
    if not names or not all(isinstance(name, str) and _HOST.fullmatch(name) for name in names):
        raise ValueError(
            "is no list of host names such as example.com,cdn.example.com; a host has no scheme, no"
            " port, no path and no *, and each of its subdomains stands by itself"
        )
    return tuple(dict.fromkeys(name.lower() for name in names))


def _number(written: str) -> float:
    """The number; for what is none, or infinite, NaN, which fails every comparison."""
    try:
        number = float(written)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _whole(written: str, *, least: int) -> int:
    number = _integer(written)
    if number is None or number < least:
        raise ValueError(f"is not a whole number of {least} or more")
    return number


def _integer(written: str) -> int | None:
    try:
        return int(written)
    except ValueError:
        return None
