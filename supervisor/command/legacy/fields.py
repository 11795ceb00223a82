"""Old names that are fields of one JSON option now. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ...catalog import Catalog
from ...catalog.options import variable
from ...decoding import json_of
from ...findings import Fault, Findings, Remark
from ...records import dataclass
from ...secrets import masked
from .rewritten import Origin, Rewritten
from .table import MEANINGS, SPECULATIVE, Field, carrier, is_old


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
        done, more = _Merge(flag, values).into(done)
        found += more
    return done, found


def _fields(rewritten: Rewritten, catalog: Catalog) -> Iterator[tuple[str, Field, str]]:
    """Each old name that is set and is a field in this version, with the option of the field."""
    for name in MEANINGS:
        if not rewritten.text(name) or not is_old(name, catalog):
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


@dataclass(frozen=True, slots=True)
class _Merge:
    """One JSON option: old name -> its field alone."""

    flag: str
    values: Mapping[str, Mapping[str, Any]]

    def into(self, rewritten: Rewritten) -> tuple[Rewritten, Findings]:
        target, names = variable(self.flag), tuple(self.values)
        written = rewritten.text(target)
        try:
            own = _object(written) if written else {}
        except ValueError:
            shown, said = masked(target, written), ", ".join(names)
            message = f"{target}={shown} is not a JSON object, so {said} cannot be merged into it"
            return rewritten, Findings.of(Fault(target, shown, message))
        fields: Mapping[str, Any] = {}
        for value in self.values.values():
            fields = deep(fields, value)
        if self.flag == SPECULATIVE and not _speculates({**fields, **own}):
            have = "has" if len(names) == 1 else "have"
            message = f"{', '.join(names)} {have} no effect without SPECULATIVE_MODEL"
            remark = Remark(names[0], message, "set SPECULATIVE_MODEL or SPECULATIVE_METHOD")
            return rewritten, Findings.of(remark)
        fields = _with_method(fields) if self.flag == SPECULATIVE else fields
        lost = [name for name, value in self.values.items() if _loses(value, own)]
        found = [
            Remark(name, f"{target} and {name} differ; {target} is used", f"set only {target}")
            for name in lost
        ]
        text = json.dumps(deep(fields, own), separators=(",", ":"), ensure_ascii=False)
        kept = tuple(name for name in names if name not in lost)
        origin = Origin((*kept, target) if written else kept, "legacy", f"merged into {self.flag}")
        return rewritten.saying(target, text, origin), Findings.of(*found)


def _loses(value: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether something of `value` is said otherwise in `own`."""
    return any(
        _loses(part, own[key])
        if isinstance(part, Mapping) and isinstance(own[key], Mapping)
        else part != own[key]
        for key, part in value.items()
        if key in own
    )


def _speculates(fields: Mapping[str, Any]) -> bool:
    """Whether these say by what to speculate: without a model or a method nothing works."""
    return any(key in fields for key in ("model", "method", "prompt_lookup_max"))


def _with_method(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """`[ngram]` was the model's name for a method without one."""
    model = fields.get("model")
    looks_up = model is None and "method" not in fields and "prompt_lookup_max" in fields
    if model == "[ngram]" or looks_up:
        return {"method": "ngram", **{key: v for key, v in fields.items() if key != "model"}}
    return fields


def _object(text: str) -> Mapping[str, Any]:
    value = json_of(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - both are a value that is refused
    return value


def deep(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` wins, key by key."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = deep(below, value) if both and below is not None else value
    return merged
