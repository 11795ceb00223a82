"""JSON that a user wrote: as `json` reads it, but never deeper than any value is meant. Pure."""

from __future__ import annotations

import json
from typing import Any

_DEEPEST = 100  # of brackets within brackets; Python's own functions end at about 1,000
_OPENING = ("[", "{")


def json_of(text: str) -> Any:
    """The value of `text`.

    Raises:
        ValueError: it is not JSON, or brackets are nested too deeply in it.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError(f"brackets are nested more than {_DEEPEST} deep") from None
    if sum(map(text.count, _OPENING)) > _DEEPEST:
        _check_depth(found)
    return found


def _check_depth(found: Any) -> None:
    """What is made of a value is made by functions that call themselves."""
    here = [found]
    for _ in range(_DEEPEST):
        here = [each for value in here for each in _within(value)]
        if not here:
            return
    raise ValueError(f"brackets are nested more than {_DEEPEST} deep")


def _within(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in inner if isinstance(each, dict | list)]
