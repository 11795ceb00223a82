"""The error that an engine reports, in any of the forms that engines use, as one sentence. Pure.

vLLM writes ``{"error": {"message": ..., "type": ..., "param": ..., "code": ...}}``, older versions
the inner object alone, FastAPI ``{"detail": TEXT}`` or a list of what is wrong with the input, and
what stands between may answer with a page of HTML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_LONGEST = 2000  # characters of a message; a validation error repeats the caller's input
_LONGEST_NAME = 100  # characters of a type or a parameter
_MOST_READ = 1_000_000  # bytes of a body that are looked at
_DEEPEST = 5  # objects in each other
_MOST_LISTED = 5  # errors of a list

_NO_ROUTE, _NO_METHOD = 404, 405
_MESSAGES = ("message", "error", "detail", "msg", "errors")


@dataclass(frozen=True, slots=True)
class Told:
    """What the engine says: `type` and `param` are its own, `param` None where it names none."""

    message: str
    type: str
    param: str | None = None


def read(status: int, body: bytes, asked: str = "") -> Told:
    """What an engine's error says.

    Args:
        status: of the answer.
        body: of the answer.
        asked: the method and the route, for an engine that does not have it: `POST /v1/score`.
    """
    found = _parsed(body[:_MOST_READ])
    if asked and isinstance(found, dict) and not found.keys() - {"detail"}:
        if status == _NO_ROUTE and found.get("detail") == "Not Found":
            return Told(_no_route(asked), "NotFoundError")
        if status == _NO_METHOD:
            return Told(_no_method(asked), "MethodNotAllowedError")
    message = _sentence(found)
    if not message:
        what = f": {_text(found)}" if found else ""
        message = f"the engine answered with status {status}{what}"
    error = _innermost(found)
    kind, param = error.get("type"), error.get("param")
    if param is None:
        param = _place(found)
    return Told(
        _cut(message, _LONGEST),
        _cut(kind, _LONGEST_NAME) if isinstance(kind, str) and kind.strip() else "engine_error",
        None if param in (None, "") else _cut(_text(param), _LONGEST_NAME),
    )


def _no_route(asked: str) -> str:
    route = asked.rpartition(" ")[2]
    return (
        f"the engine has no route {route} for this model; which routes there are follows from the"
        " kind of the model (RUNNER and CONVERT of the worker can choose it) and from the version"
        " of vLLM"
    )


def _no_method(asked: str) -> str:
    method, _, route = asked.rpartition(" ")
    other = "GET" if method == "POST" else "POST, which needs a body"
    return f"the engine's route {route} does not take {method}; ask for it by {other}"


def _parsed(body: bytes) -> Any:
    """The JSON of a body; its text where it is none, of a page of HTML what a person would read."""
    text = body.decode(errors="replace").strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if text[:1] != "<":
        return text
    title = re.search(r"<title[^>]*>([^<]*)</title>", text, re.IGNORECASE)
    plain = re.sub(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>", " ", text)
    return " ".join((title[1] if title and title[1].strip() else plain).split())


def _sentence(value: Any, depth: int = 0) -> str:
    """The message in whatever `value` is; empty where it says nothing."""
    if isinstance(value, str):
        return value.strip()
    if depth == _DEEPEST:
        return ""
    if isinstance(value, dict):
        if (said := _fault_of_input(value)) is not None:
            return said
        wrapped = isinstance(value.get("error"), dict | list)
        names = ("error", *_MESSAGES) if wrapped else _MESSAGES
        found = (_sentence(value[name], depth + 1) for name in names if name in value)
        return next(filter(None, found), "")
    if isinstance(value, list):
        return "; ".join(filter(None, (_sentence(each, depth + 1) for each in _few(value))))
    return ""


def _fault_of_input(value: dict[str, Any]) -> str | None:
    """`{"loc": ["body", "n"], "msg": "..."}`, as FastAPI says what is wrong with an input."""
    place, said = value.get("loc"), value.get("msg")
    if not isinstance(place, list) or not isinstance(said, str):
        return None
    return f"{_dotted(place)}: {said}" if place else said


def _place(found: Any) -> str | None:
    """The first place that FastAPI names."""
    detail = found.get("detail") if isinstance(found, dict) else None
    first = detail[0] if isinstance(detail, list) and detail else None
    place = first.get("loc") if isinstance(first, dict) else None
    return _dotted(place) if isinstance(place, list) and place else None


def _dotted(place: Iterable[Any]) -> str:
    """Where something is in the request; that it is in its body is no news."""
    parts = [_text(part) for part in place]
    return ".".join(parts[1:] if parts[0] == "body" and len(parts) > 1 else parts)


def _innermost(found: Any) -> dict[str, Any]:
    """The object that has the message, and beside it type and param."""
    for _ in range(_DEEPEST):
        inner = found.get("error") if isinstance(found, dict) else None
        if isinstance(inner, list) and inner:
            inner = inner[0]
        if not isinstance(inner, dict):
            break
        found = inner
    return found if isinstance(found, dict) else {}


def _few(value: list[Any]) -> list[Any]:
    more = len(value) - _MOST_LISTED
    return value if more <= 0 else [*value[:_MOST_LISTED], f"and {more} more"]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return f"<{type(value).__name__}>"


def _cut(text: str, most: int) -> str:
    text = " ".join(text.split()) if most == _LONGEST_NAME else text
    return text if len(text) <= most else f"{text[:most]}..."
