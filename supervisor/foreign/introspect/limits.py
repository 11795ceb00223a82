"""What vLLM's configuration classes refuse after its parser: bounds, and fields of JSON options.

The parser takes any whole number for --max-num-seqs; the class behind it says `Field(ge=1)`. Which
class stands behind an option is read from the function that adds the options. Only what is
certain is told: a field that something else looks at before its bounds do is left out.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import importlib
import inspect
import textwrap
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

_BOUNDS = ("ge", "gt", "le", "lt")
_HARMLESS = {"_skip_none_validation"}  # of vLLM's: lets None by, and everything else go on


def limits() -> dict[str, dict[str, Any]]:
    """Option -> what its record says beside what the parser knows; empty for a vLLM without."""
    with contextlib.suppress(Exception):  # whatever is missing: these only say more
        module = importlib.import_module("vllm.engine.arg_utils")
        source = textwrap.dedent(inspect.getsource(module.EngineArgs.add_cli_args))
        return {
            flag: found
            for flag, class_name, name in sources(source)
            if (found := of_field(getattr(module, class_name, None), name))
        }
    return {}


def sources(source: str) -> Iterator[tuple[str, str, str]]:
    """Option, class and field of each `group.add_argument("--x", **x_kwargs["field"])`.

    Args:
        source: a function in which `x_kwargs = get_kwargs(XConfig)` stands too.
    """
    nodes = list(ast.walk(ast.parse(source)))
    classes: dict[str, str] = {}
    for node in nodes:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Name(id="get_kwargs"), args=[ast.Name(id=class_name)]),
            ):
                classes[name] = class_name
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        texts = [each.value for each in call.args if isinstance(each, ast.Constant)]
        flags = [text for text in texts if isinstance(text, str) and text.startswith("--")]
        unpacked = [keyword.value for keyword in call.keywords if keyword.arg is None]
        for owner, field in _subscripts(unpacked):
            if owner in classes:
                yield from ((flag, classes[owner], field) for flag in flags)


def _subscripts(values: list[ast.expr]) -> Iterator[tuple[str, str]]:
    """`x_kwargs["field"]`, also within `{**x_kwargs["field"], "default": None}`."""
    for value in values:
        for node in ast.walk(value):
            match node:
                case ast.Subscript(value=ast.Name(id=owner), slice=ast.Constant(value=str(field))):
                    yield owner, field


def of_field(owner: Any, name: str) -> dict[str, Any]:
    """What the field `name` of a configuration class takes: `bounds`, and `fields` of an object.

    `owner` is the class: not every one is made at every start.
    """
    field = getattr(owner, "__pydantic_fields__", {}).get(name)
    if field is None:
        return {}
    found: dict[str, Any] = {}
    if bounds := _bounds(owner, name, field):
        found |= {"bounds": bounds, "owner": owner.__name__}
    inner = _dataclass(field.annotation)
    if inner is not None:
        found["fields"] = {key: each for key in _keys(inner) if (each := _scalar(inner, key))}
        found["keys"] = _keys(inner)
        config = getattr(inner, "__pydantic_config__", None) or {}
        if config.get("extra") == "forbid" and not _decorated(inner, "model_validators"):
            found["closed"] = True
    return {key: value for key, value in found.items() if value}


def _scalar(owner: Any, name: str) -> dict[str, Any]:
    """A field of an object: its bounds, and the words that are all that it takes."""
    field = getattr(owner, "__pydantic_fields__", {}).get(name)
    if field is None or _decorated(owner, "model_validators"):
        return {}
    found: dict[str, Any] = {}
    if bounds := _bounds(owner, name, field):
        found["bounds"] = bounds
    if (words := _words(field.annotation)) and not _looked_at_before(owner, name):
        found["choices"] = words
    return found


def _bounds(owner: Any, name: str, field: Any) -> dict[str, float]:
    if _looked_at_before(owner, name) or any("Skip" in type(m).__name__ for m in field.metadata):
        return {}
    return {
        which: bound
        for each in field.metadata
        for which in _BOUNDS
        if isinstance(bound := getattr(each, which, None), int | float)
    }


def _words(annotation: Any) -> list[str]:
    """The words of `Literal[...]` or `Literal[...] | None`; none where anything else is taken."""
    kinds = [each for each in _members(annotation) if each is not type(None)]
    if any(get_origin(each) is not Literal for each in kinds):
        return []
    words = [word for each in kinds for word in get_args(each)]
    return words if all(isinstance(word, str) for word in words) else []


def _dataclass(annotation: Any) -> Any:
    kinds = [each for each in _members(annotation) if each is not type(None)]
    (only,) = kinds if len(kinds) == 1 else (None,)
    return only if isinstance(only, type) and dataclasses.is_dataclass(only) else None


def _members(annotation: Any) -> tuple[Any, ...]:
    union = get_origin(annotation) in {Union, types.UnionType}
    return get_args(annotation) if union else (annotation,)


def _keys(owner: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(owner) if field.init]


def _looked_at_before(owner: Any, name: str) -> bool:
    """Whether a validator changes the value before its type and bounds are looked at."""
    return any(
        name in each.info.fields and each.info.mode != "after" and which not in _HARMLESS
        for which, each in _decorated(owner, "field_validators").items()
    )


def _decorated(owner: Any, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = getattr(getattr(owner, "__pydantic_decorators__", None), kind, {})
    if kind == "model_validators":
        return {name: each for name, each in found.items() if each.info.mode != "after"}
    return found
