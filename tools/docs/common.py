"""The options that all known versions take in the same way, as a catalogue of schema 1."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from supervisor.catalog import Catalog, Kind, Option
from supervisor.catalog.options import SCHEMA
from tools.docs.known import catalogs

_ONE_TOKEN = {Kind.VALUE, Kind.JSON, Kind.JSON_OR_STR}


def text() -> str:
    """The file that the supervisor falls back to where it cannot read a catalogue."""
    known = list(catalogs().values())
    found = options()
    variables = {name for catalog in known for name in catalog.by_variable}
    own = Catalog("", tuple(found)).by_variable
    return (
        json.dumps(
            {
                "schema": SCHEMA,
                "vllm_version": None,
                "complete": False,
                "options": [_record(option) for option in found],
                "elsewhere": sorted(variables - set(own)),
                "environment": sorted({name for catalog in known for name in catalog.environment}),
            },
            indent=1,
        )
        + "\n"
    )


def options() -> list[Option]:
    """The options that all of them share."""
    known = list(catalogs().values())
    return [same for option in known[0].options if (same := shared(option, known))]


def shared(option: Option, known: list[Catalog]) -> Option | None:
    """`option` as every one of `known` takes it, checked no harder than any of them does."""
    others = [catalog.option(option.flag) for catalog in known]
    same = [other for other in others if other is not None and other.flag == option.flag]
    if len(same) < len(known):
        return None
    kinds = {other.kind for other in same}
    bare = Option(option.flag, option.kind, default=_agreed([o.default for o in same]))
    if kinds <= {Kind.BOOL_PAIR, Kind.STORE_TRUE, Kind.BOOL_VALUE}:
        off = set.intersection(*(set(other.off) for other in same))
        if kinds == {Kind.BOOL_PAIR} and off:
            return replace(bare, on=(option.flag,), off=tuple(sorted(off)))
        # `--x=false` and `--no-x` are not the same in all of them, `--x` is
        return replace(bare, kind=Kind.STORE_TRUE, on=(option.flag,))
    if kinds <= _ONE_TOKEN:
        types = {other.type for other in same}
        return replace(
            bare,
            kind=Kind.VALUE,
            type=types.pop() if len(types) == 1 else "str",
            choices=_agreed([other.choices for other in same]) or (),
            none_ok=any(other.none_ok for other in same),
            human_int=all(other.human_int for other in same),
            help=_agreed([o.help for o in same]) or "",
        )
    if len(kinds) == 1:
        return replace(bare, item=option.item)
    return None


def _agreed(values: list[Any]) -> Any:
    return values[0] if all(value == values[0] for value in values) else None


def _record(option: Option) -> dict[str, object]:
    record = {
        "flag": option.flag,
        "kind": str(option.kind),
        "on": list(option.on),
        "off": list(option.off),
        "type": option.type,
        "item": option.item,
        "choices": list(option.choices),
        "default": option.default,
        "none_ok": option.none_ok,
        "human_int": option.human_int,
        "help": option.help,
    }
    return {key: value for key, value in record.items() if value not in (None, [], "", False)}
