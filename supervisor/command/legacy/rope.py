"""ROPE_SCALING and ROPE_THETA where vLLM has no options for them: in `--hf-overrides`. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...catalog import Catalog
from ...decoding import json_of
from ...findings import Fault, Findings, Remark
from ...records import replace
from .fields import deep
from .rewritten import Origin, Rewritten
from .table import KEY, SCALING, TEXT, THETA, is_an_option

_OVERRIDES, _LENGTH = "HF_OVERRIDES", "MAX_MODEL_LEN"
_DIGITS = 20  # of a length; Python reads no more than 4,300


def completed(
    merged: Rewritten, before: Rewritten, catalog: Catalog, config: Mapping[str, Any]
) -> tuple[Rewritten, Findings]:
    """`merged` with rope parameters that are whole, where an old name says something of them.

    Args:
        merged: the environment, in which the old names are a part of HF_OVERRIDES.
        before: the environment with the old names themselves.
        catalog: what this version accepts.
        config: the model's config.json; empty where it is not at hand.
    """
    origin = merged.origins.get(_OVERRIDES)
    given = {name: before.text(name) for name in (SCALING, THETA) if before.text(name)}
    if origin is None or not given.keys() & {*origin.variables}:
        return merged, _of_the_user(merged.text(_OVERRIDES), catalog)
    from .rotary import overrides  # few starts set either

    said, rest = _said_in(json_of(merged.text(_OVERRIDES)))
    made = overrides(said, given, config, catalog.version)
    if made.findings.errors:
        return merged.without(_OVERRIDES), made.findings
    text = json.dumps(deep(made.fields, rest), separators=(",", ":"), ensure_ascii=False)
    note = "; ".join(filter(None, (origin.note, made.note)))
    done = merged.saying(_OVERRIDES, text, replace(origin, note=note))
    done, of_length = _within(made.longest, done, next(iter(given)))
    return done, made.findings + of_length


def _of_the_user(text: str, catalog: Catalog) -> Findings:
    """What is said of rope parameters in the user's own HF_OVERRIDES, which get no theta here."""
    if not catalog.complete or is_an_option(SCALING, catalog):
        return Findings()
    try:
        own = json_of(text or "null")
    except ValueError:  # said already, by who gave it
        return Findings()
    said = own.get(KEY) or own.get("rope_scaling") if isinstance(own, dict) else None
    by_layer = isinstance(said, dict) and any(isinstance(each, dict) for each in said.values())
    if not isinstance(said, dict) or not said or by_layer or "rope_theta" in {*said, *own}:
        return Findings()
    message = (
        f"the rope parameters in {_OVERRIDES} have no rope_theta, and vLLM {catalog.version} puts"
        " them in the place of the model's: its own is lost, and 10000 taken"
    )
    return Findings.of(Remark(_OVERRIDES, message, f"set {SCALING} to them instead, or add it"))


def _within(longest: int | None, rewritten: Rewritten, name: str) -> tuple[Rewritten, Findings]:
    """With a context that the embeddings reach, where vLLM allows a longer one."""
    if longest is None:
        return rewritten, Findings()
    asked = rewritten.text(_LENGTH)
    if not asked:
        origin = Origin((name,), "legacy", "the context that the scaling reaches")
        return rewritten.saying(_LENGTH, str(longest), origin), Findings()
    if not asked.isdecimal() or len(asked) > _DIGITS or int(asked) <= longest:
        return rewritten, Findings()
    message = f"{_LENGTH}={asked} is more than the {longest} tokens that {name} reaches"
    remedy = f"set {_LENGTH} to {longest} or less, or a larger factor in {SCALING}"
    return rewritten, Findings.of(Fault(_LENGTH, asked, message, remedy))


def _said_in(own: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The rope parameters in a HF_OVERRIDES of the user's, and the rest of it."""
    text = own.get(TEXT)
    if isinstance(text, dict) and (KEY in text or "rope_scaling" in text):
        nested, rest = _said_in(text)
        outside, others = _said_in({key: own[key] for key in own if key != TEXT})
        return {**outside, **nested}, {**others, TEXT: rest}
    keys = (KEY, "rope_scaling", "rope_theta")
    found: dict[str, Any] = {}
    for key in keys[:2]:
        if isinstance(own.get(key), dict):
            found |= own[key]
    if keys[2] in own:
        found[keys[2]] = own[keys[2]]
    return found, {key: value for key, value in own.items() if key not in keys}
