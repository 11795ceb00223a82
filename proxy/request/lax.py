"""Values as vLLM reads them: pydantic takes "40", 40.0 and "off" for numbers and booleans. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

_WHOLE: TypeAdapter[int] = TypeAdapter(int)
_NUMBER: TypeAdapter[float] = TypeAdapter(float)
_BOOLEAN: TypeAdapter[bool] = TypeAdapter(bool)


def whole(value: Any) -> int | None:
    """A whole number; None for what is none."""
    try:
        return _WHOLE.validate_python(value)
    except ValidationError:
        return None


def number(value: Any) -> float | None:
    """A number; None for what is none."""
    try:
        return _NUMBER.validate_python(value)
    except ValidationError:
        return None


def boolean(value: Any) -> bool | None:
    """True or false; None for what is neither."""
    try:
        return _BOOLEAN.validate_python(value)
    except ValidationError:
        return None
