"""Old names that are fields of one JSON option now. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ...catalog import Catalog
from ...catalog.options import variable
from ...findings import Fault, Findings, Remark
from ...secrets import masked
from .rewritten import Origin, Rewritten
from .table import MEANINGS, SPECULATIVE, Field, carrier, is_an_option


def merge(before: Rewritten, catalog: Catalog) -> tuple[Rewritten, Findings]:
    """`before` with one value for each JSON option; what the user wrote of it himself wins."""
    named = list(_fields(before, catalog))
    done, found = before.without(*(name for name, _, _ in named)), Findings()
    said: dict[str, dict[str, Mapping[str, Any]]] = {}  # option -> old name -> its field alone
    for name, meaning, flag in named:
        try:
            value = _nested(meaning, before.text(name))
        except ValueError:
            shown = masked(name, before.text(name))
            message = f"{name}={shown} is not {meaning.parser.wanted}"
            found += Findings.of(Fault(name, shown, message))
        else:
            said.setdefault(flag, {})[name] = value
    for flag, values in said.items():
        done, more = _merge_into(flag, values, done)
        found += more
    return done, found


def _fields(rewritten: Rewritten, catalog: Catalog) -> Iterator[tuple[str, Field, str]]:
    """Each old name that is set and is a field in this version, with the option of the field."""
    for name in MEANINGS:
        if not rewritten.text(name) or is_an_option(name, catalog):
            continue
        meaning = carrier(name, catalog)
        option = catalog.option(meaning.flag) if isinstance(meaning, Field) else None
        if isinstance(meaning, Field) and option is not None:
            yield name, meaning, option.flag


def _nested(meaning: Field, text: str) -> Mapping[str, Any]:
    """Raises ValueError where the text is not what the field takes."""
    value = meaning.parser.parse(text)
    for key in reversed(meaning.path):
        value = {key: value}
    return {**value}


def _merge_into(
    flag: str, values: Mapping[str, Mapping[str, Any]], rewritten: Rewritten
) -> tuple[Rewritten, Findings]:
    fields: Mapping[str, Any] = {}
    for value in values.values():
        fields = _deep(fields, value)
    sources = tuple(values)
    names = ", ".join(sources)
    merged = _speculative(fields) if flag == SPECULATIVE else fields
    target = variable(flag)
    own = rewritten.text(target)
    if not merged and not own:
        have = "has" if len(sources) == 1 else "have"
        message = f"{names} {have} no effect without SPECULATIVE_MODEL"
        return rewritten, Findings.of(Remark(sources[0], message, "set SPECULATIVE_MODEL"))
    own = "" if own == "None" else own
    if own:
        try:
            merged = _deep(merged or fields, _object(own))
        except ValueError:
            shown = masked(target, own)
            message = f"{target}={shown} is not a JSON object, so {names} cannot be merged into it"
            return rewritten, Findings.of(Fault(target, shown, message))
    text = json.dumps(merged, separators=(",", ":"), ensure_ascii=False)
    origin = Origin((*sources, target) if own else sources, "legacy", f"merged into {flag}")
    return rewritten.saying(target, text, origin), Findings()


def _speculative(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """`[ngram]` was the model's name for a method without one; nothing else makes the rest work."""
    model = fields.get("model")
    ngram = model == "[ngram]" or (model is None and "prompt_lookup_max" in fields)
    if ngram:
        return {"method": "ngram", **{key: v for key, v in fields.items() if key != "model"}}
    return fields if model is not None else {}


def _object(text: str) -> Mapping[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - both are a value that is refused
    return value


def _deep(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` wins, key by key."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = _deep(below, value) if both and below is not None else value
    return merged
