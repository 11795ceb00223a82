"""What an option's type makes of a token, found by trying it and by looking into it. Pure."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

_REFUSED = object()
_DEEPEST = 4  # closures around a type

#: What a wrapper is called in the catalogue.
_NAMES = {
    "_optional_type": "optional",
    "_parse_type": "",
    "parse_dataclass": "json_dataclass",
    "<lambda>": "lambda",
}


def of_a_token(action: argparse.Action) -> tuple[str, dict[str, Any]]:
    """What one token is converted to (scalar, json, json_or_str, csv), found by trying."""
    convert = action.type
    if convert is None or convert is str or not callable(convert):
        return "scalar", {}
    found: dict[str, Any] = {}
    if _converted(convert, "None") is None:
        found["none_ok"] = True
    if type(_converted(convert, "1")) is int:
        if _converted(convert, "1k") == 1000:
            found["human_int"] = True
        if _converted(convert, "auto") == -1:
            found["auto_ok"] = True
    word, json_object = _converted(convert, "zzz_word"), _converted(convert, "{}")
    if isinstance(word, (list, tuple)):
        return "csv", found
    if json_object is not _REFUSED and not isinstance(json_object, str):
        return ("json_or_str" if isinstance(word, str) else "json"), found
    if "json" in type_name(convert):  # a dataclass with required fields refuses "{}"
        return "json", found
    return "scalar", found


def arrives(action: argparse.Action, text: str, choices: list[Any]) -> bool:
    """Whether `text`, converted as the parser does it, is one of the choices."""
    return not callable(action.type) or _converted(action.type, text) in choices


def _converted(convert: Callable[[str], Any], text: str) -> Any:
    try:
        return convert(text)
    except (Exception, SystemExit):  # noqa: BLE001 - a type may refuse in any way it likes
        return _REFUSED


def type_name(convert: Any, depth: int = 0) -> str:
    """A readable name of a type; looks through the closures in which vLLM wraps its types."""
    if convert is None:
        return "str"
    name = getattr(convert, "__name__", None) or type(convert).__name__
    inner = []
    if depth < _DEEPEST:
        inner = [
            type_name(value, depth + 1)
            for value in _cells(convert)
            if callable(value) and value is not convert
        ]
        inner += [v.__name__ for v in getattr(convert, "__defaults__", None) or () if _is_class(v)]
    if getattr(convert, "__module__", "") == "json":
        name = f"json.{name}"
    name = _NAMES.get(name, name)
    if inner:
        return f"{name}[{','.join(inner)}]" if name else inner[0]
    return name or "str"


def fields(action: argparse.Action) -> dict[str, Any]:
    """The names of the fields that a JSON option takes, where a dataclass stands behind it."""
    waiting, seen = [action.type], set()
    while waiting:
        found: Any = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        if _is_class(found):
            if dataclasses.is_dataclass(found):
                keys = [field.name for field in dataclasses.fields(found) if field.init]
                return {"json_class": getattr(found, "__name__", "?"), "json_keys": keys}
            continue
        waiting += _cells(found)
        waiting += getattr(found, "__defaults__", None) or ()
        waiting.append(getattr(found, "__func__", None))
        owner = getattr(found, "__self__", None)
        waiting.append(owner if _is_class(owner) else None)
    return {}


def _cells(function: Any) -> list[Any]:
    found = []
    for cell in getattr(function, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # an empty cell
            found.append(cell.cell_contents)
    return found


def _is_class(value: object) -> bool:
    return isinstance(value, type)
