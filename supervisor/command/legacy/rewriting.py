"""Rewrites an environment: each old name becomes what this version has for it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ...catalog import Catalog, Option
from ...catalog.options import variable
from ...findings import Applied, Fault, Findings, Ignored, Remark, Source, not_passed_on
from ...secrets import masked
from ...settings import table
from ...settings.parsers import boolean
from . import fields, request_log, rope, task
from .meaning import same
from .rewritten import Origin, Rewritten
from .table import (
    IDLE,
    MADE_IDLE_BY,
    MEANINGS,
    SERVED_NAME,
    UNSET,
    ZERO_IS_UNSET,
    Alias,
    Carrier,
    Environment,
    Field,
    Gone,
    Inverse,
    WhenTrue,
    carrier,
    is_old,
)

NO_CONFIG: Mapping[str, Any] = MappingProxyType({})

_ZERO = re.compile(r"\s*0+(\.0*)?\s*")
_Step = tuple[Rewritten, Findings]


def rewrite(
    env: Mapping[str, str], catalog: Catalog, config: Mapping[str, Any] = NO_CONFIG
) -> tuple[Rewritten, Findings]:
    """`env` in the names that `catalog` has, and what could not be carried over.

    Args:
        env: the worker's environment.
        catalog: what this version accepts.
        config: the model's config.json; empty where it is not at hand.
    """
    started, of_zeros = _without_zeros(env)
    needed, of_idle = _without_idle(started, catalog)
    agreed, of_log = request_log.agreed(needed, catalog)
    tasked, of_task = task.carried_over(agreed, catalog)
    renamed, of_names = _renamed(tasked, catalog)
    merged, of_fields = fields.merge(renamed, catalog)
    whole, of_rope = rope.completed(merged, renamed, catalog, config)
    served, of_served = _served_name(whole, catalog)
    found = (of_zeros, of_idle, of_log, of_task, of_names, of_fields, of_rope, of_served)
    return served, sum(found, Findings())


def carries(name: str, catalog: Catalog) -> bool:
    """Whether an old name is carried over to an option of another name in this version."""
    if name == task.NAME:
        return task.has_parts(catalog)
    return isinstance(carrier(name, catalog), Alias | Field | Inverse | WhenTrue)


def _without_zeros(env: Mapping[str, str]) -> _Step:
    zeros = [name for name, text in env.items() if name in ZERO_IS_UNSET and _ZERO.fullmatch(text)]
    reason = "0 means not set here, as it did for old workers"
    return Rewritten(env).without(*zeros), Findings.of(*(Ignored(name, reason) for name in zeros))


def _without_idle(before: Rewritten, catalog: Catalog) -> _Step:
    """Values that ask for nothing, where there is no option to say them to."""
    if not catalog.complete:
        return before, Findings()
    reason = f"vLLM {catalog.version} has no such option, and needs none for this value"
    idle = [
        name
        for name, values in IDLE.items()
        if (text := before.text(name))
        and is_old(name, catalog)
        and (any(same(text, value) for value in values) or before.text(MADE_IDLE_BY.get(name, "")))
    ]
    return before.without(*idle), Findings.of(*(Ignored(name, reason) for name in idle))


def _renamed(before: Rewritten, catalog: Catalog) -> _Step:
    """All old names but those that are fields of a JSON option."""
    done, found = before, Findings()
    for name in MEANINGS:
        text = done.text(name)
        meaning = carrier(name, catalog)
        if text and isinstance(meaning, Environment):
            row = Applied(name, masked(name, text), None, "worker", "the engine reads it itself")
            found += Findings.of(row)
        if not text or not is_old(name, catalog) or isinstance(meaning, Field):
            continue
        done, more = _carry_over(done.without(name), name, text, catalog)
        found += more
    return done, found


def _carry_over(rewritten: Rewritten, name: str, text: str, catalog: Catalog) -> _Step:
    meaning = carrier(name, catalog)
    option = catalog.option(meaning.flag) if isinstance(meaning, Carrier) else None
    match meaning:
        case Alias(flag=flag, suffix=suffix, left=left):
            value = text.removesuffix(suffix)
            if value.upper() in left:
                message = f"{name}={text} has no effect: vLLM {catalog.version} has no {value}"
                remedy = f"{UNSET}, or set {variable(flag)} to another"
                return rewritten, Findings.of(Remark(name, message, remedy))
            return _alias(rewritten, name, variable(flag), value, catalog.option(flag))
        case Inverse() if option:
            return _alias(rewritten, name, variable(option.off[0]), text, option, source="legacy")
        case WhenTrue(value=value) if option:
            return _when_true(rewritten, name, option, text, value)
        case _ if not catalog.complete:
            return rewritten, Findings.of(not_passed_on(name))
        case Gone(reason=reason, remedy=remedy):
            message = f"{name} has no effect with vLLM {catalog.version}: {reason}"
            return rewritten, Findings.of(Remark(name, message, remedy))
        case _:
            return rewritten, _nothing(name, catalog)


def _alias(
    rewritten: Rewritten,
    name: str,
    target: str,
    text: str,
    option: Option | None,
    note: str | None = None,
    source: Source = "alias",
) -> _Step:
    """Another name of the variable `target`. Where both are set and differ, the alias wins."""
    own = rewritten.text(target)
    first = rewritten.origins.get(target)
    if own and first is not None:  # another old name of it was there before
        winner = first.variables[-1]
        if not same(own, text, option):
            return rewritten, _differ(name, f"{winner} and {name}", winner, UNSET)
        both = Origin((*first.variables, name), first.source, first.note)
        return rewritten.saying(target, rewritten.env[target], both), Findings()
    agrees = bool(own) and same(own, text, option)
    variables = (target, name) if agrees else (name,)
    done = rewritten.saying(target, text, Origin(variables, source, note))
    if own and not agrees:
        return done, _differ(name, f"{name} and {target}", name, f"set only {target}")
    return done, Findings()


def _when_true(rewritten: Rewritten, name: str, option: Option, text: str, value: str) -> _Step:
    """A boolean that stands for one value of an option."""
    try:
        wanted = boolean(text)
    except ValueError as reason:
        return rewritten, Findings.of(Fault(name, text, f"{name}={text} {reason}"))
    if not wanted:
        return rewritten, Findings.of(Ignored(name, "false changes nothing"))
    own = rewritten.text(option.env)
    if own and own != value:
        return rewritten, _differ(name, f"{name} and {option.env}", option.env, UNSET)
    origin = Origin((option.env, name) if own else (name,), "legacy")
    return rewritten.saying(option.env, value, origin), Findings()


def _differ(name: str, both: str, winner: str, remedy: str) -> Findings:
    return Findings.of(Remark(name, f"{both} differ; {winner} is used", remedy))


def _nothing(name: str, catalog: Catalog) -> Findings:
    message = f"{name} has no equivalent in vLLM {catalog.version}"
    return Findings.of(Remark(name, message, UNSET))


def _served_name(rewritten: Rewritten, catalog: Catalog) -> _Step:
    """The override stands first, the model's own name behind it, so that both work."""
    text = rewritten.text(SERVED_NAME)
    done = rewritten.without(SERVED_NAME)
    option = catalog.option("--served-model-name")
    if not text:
        return done, Findings()
    if option is None:
        return done, _nothing(SERVED_NAME, catalog)
    model = rewritten.text(table.MODEL_NAME.name)
    served = dict.fromkeys(name for name in (text, model) if name)
    note = "the model's own name works beside it"
    return _alias(done, SERVED_NAME, option.env, json.dumps(list(served)), option, note)
