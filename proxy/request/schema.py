"""What an engine says of its routes: their methods, and the names in their requests. Pure.

https://spec.openapis.org/oas/v3.1.0, as FastAPI writes it. vLLM says of nearly every request that
more properties may follow (`additionalProperties: true`), which means only that it ignores them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.request.routes import Method

_METHODS: Mapping[str, Method] = {"get": "GET", "post": "POST"}
_CONTENT = ("application/json", "multipart/form-data", "application/x-www-form-urlencoded")
_DEEPEST = 16  # references and alternatives within each other; FastAPI writes two or three


@dataclass(frozen=True, slots=True)
class Schema:
    """The routes of one engine, those whose path varies left out.

    `methods` are GET and POST, those that a route takes; `names` are those of a POST's body, None
    where any may stand there.
    """

    methods: Mapping[str, tuple[Method, ...]] = field(default_factory=dict)
    names: Mapping[str, frozenset[str] | None] = field(default_factory=dict)


def parsed(document: bytes) -> Schema | None:
    """The routes in an OpenAPI document; None where it is none."""
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        return None
    paths = found.get("paths") if isinstance(found, dict) else None
    if not isinstance(paths, dict):
        return None
    methods: dict[str, tuple[Method, ...]] = {}
    names: dict[str, frozenset[str] | None] = {}
    for path, operations in paths.items():
        if "{" in path or not isinstance(operations, dict):
            continue
        methods[path] = tuple(_METHODS[name] for name in _METHODS if name in operations)
        names[path] = _names_in(_body(operations.get("post")), found, _DEEPEST)
    return Schema(methods, names)


def _body(operation: Any) -> Any:
    """The schema of a request's body."""
    content = _at(operation, "requestBody", "content")
    return next((found for kind in _CONTENT if (found := _at(content, kind, "schema"))), None)


def _names_in(schema: Any, document: Any, depth: int) -> frozenset[str] | None:
    """The properties of an object, of all its parts and alternatives; None where any may be."""
    if not isinstance(schema, dict) or not depth:
        return None
    reference = schema.get("$ref")
    if isinstance(reference, str):
        schema = _at(document, *reference.removeprefix("#/").split("/"))
        return _names_in(schema, document, depth - 1)
    if isinstance(schema.get("additionalProperties"), dict):
        return None
    properties = schema.get("properties")
    found = frozenset(properties) if isinstance(properties, dict) else frozenset()
    for word in ("allOf", "anyOf", "oneOf"):
        parts = schema.get(word)
        for part in parts if isinstance(parts, list) else ():
            if part == {"type": "null"}:
                continue
            names = _names_in(part, document, depth - 1)
            if names is None:
                return None
            found |= names
    return found or None


def _at(place: Any, *names: str) -> Any:
    """What stands under these names, one within the other; None where nothing does."""
    for name in names:
        place = place.get(name) if isinstance(place, dict) else None
    return place
