"""Whether two texts say the same. Pure."""

from __future__ import annotations

from typing import Any

from ...catalog import Option
from ...decoding import json_of
from ...settings.parsers import boolean


def same(one: str, other: str, option: Option | None = None) -> bool:
    """Whether both mean the same: `true` and `1` for a switch, `0.9` and `.90`, JSON by its value.

    Args:
        one: a variable's text.
        other: another one's.
        option: what both are said of; without one, words for true and false count as such.
    """
    if option is not None and not option.on:
        return bool(_read(one) == _read(other))
    return bool(_switch(one) == _switch(other))


def _switch(text: str) -> Any:
    try:
        return boolean(text)
    except ValueError:
        return _read(text)


def _read(text: str) -> Any:
    """A number or a JSON value where it is one, the text where it is none."""
    stripped = text.strip()
    try:
        value = json_of(stripped)
    except ValueError:
        try:
            return float(stripped)
        except ValueError:
            return stripped
    return stripped if isinstance(value, bool) else value  # to Python True is 1
