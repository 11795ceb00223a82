"""Values as JSON can hold them."""

from __future__ import annotations

import enum
from typing import Any

TEXT_MOST = 300  # characters of what is kept of a help text or of an object
_DEEPEST = 5


def plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON can hold it."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else repr(value)
    if isinstance(value, enum.Enum):
        return value.name
    if depth < _DEEPEST:
        if isinstance(value, (set, frozenset)):
            value = sorted(value, key=repr)
        if isinstance(value, (list, tuple)):
            return [plain(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return {str(key): plain(item, depth + 1) for key, item in value.items()}
    return repr(value)[:TEXT_MOST]
