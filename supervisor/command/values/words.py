"""`image=4,video=1` for options that take an object, `a b` for those that take a list. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from ...decoding import json_of

#: What to say of JSON that `is_torn`.
TORN = "is not JSON: a shell takes its quotes away, and parts it at blanks"
IN_QUOTES = "put the JSON in single quotes"

_ITEM = re.compile(r"(?P<key>[A-Za-z_][\w-]*)\s*=\s*(?P<value>[^\s,=]+)")
_APART = re.compile(r"\s*,\s*|\s+")
_PYTHON = {"True": True, "False": False, "None": None}


def an_object(text: str) -> dict[str, Any] | None:
    """What `key=value` words say, parted by commas or white space; None where they are others.

    A value that is JSON is what it is as JSON, each other one is a text.
    """
    found = {}
    for word in split(re.sub(r"\s*=\s*", "=", text)):
        item = _ITEM.fullmatch(word)
        if item is None:
            return None
        found[item["key"]] = _value(item["value"])
    return found or None


def split(text: str) -> list[str]:
    """Words parted by commas or white space."""
    return [word for word in _APART.split(text.strip()) if word]


def compact(value: Any) -> str:
    """`value` as JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _value(text: str) -> Any:
    if text in _PYTHON:
        return _PYTHON[text]
    try:
        return json_of(text)
    except ValueError:
        return text


def is_torn(text: str) -> bool:
    """Whether it is JSON of which a shell has taken the quotes, or what stands behind a blank."""
    if not text.startswith(("{", "[")):
        return False
    try:
        json_of(text)
    except ValueError:
        closed = text.endswith("}" if text[0] == "{" else "]")
        return '"' not in text or not closed
    return False
