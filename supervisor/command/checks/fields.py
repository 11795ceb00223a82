"""The fields of options that take an object. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...catalog import Kind, Option
from ...catalog.bounds import ANY
from .. import values
from ..arguments import Argument, Arguments
from ..values.remedies import FEW, one_of, remedy
from .refusal import Refusal

_BACKENDS = {"--structured-outputs-config": "backend"}
_SPECULATIVE = "--speculative-config"
_COUNTS = ("num_speculative_tokens", "num_speculative_tokens_per_batch_size")
#: Methods without a model of their own, whose configuration could say how many tokens.
_BY_THE_PROMPT = ("ngram", "ngram_gpu")


def check(option: Option, argument: Argument, _options: Arguments) -> Iterator[Refusal]:
    """Refuse a field that there is not, and a value that a field does not take."""
    text = next(iter(argument.values), "")
    if option.kind not in {Kind.JSON, Kind.JSON_OR_STR} or not text.startswith("{"):
        return
    try:
        given, twice = values.with_repeated(option, text)
    except ValueError:  # said already, by who gave it
        return
    for key in twice:
        reason = "stands in it more than once, and the last one counts"
        yield Refusal(key, reason, "keep one of them", certain=False)
    if option.kind is not Kind.JSON:
        return
    fields = {key.replace("-", "_"): value for key, value in given.items()}
    yield from _unknown(option, fields)
    for name, value in fields.items():
        yield from _wrong(option, name, value)
    if option.flag == _SPECULATIVE:
        yield from _without_a_number(fields)


def _unknown(option: Option, fields: Mapping[str, Any]) -> Iterator[Refusal]:
    if not option.closed or not option.keys:
        return
    for name in fields:
        if name not in option.keys:
            meant = remedy(option.flag, name, option.keys)
            reason = "is not a field of it"
            if not meant or len(option.keys) <= FEW:
                reason += f"; its fields are {', '.join(option.keys)}"
            yield Refusal(name, reason, meant)


def _wrong(option: Option, name: str, value: Any) -> Iterator[Refusal]:
    field = option.fields.get(name)
    place = f"{option.flag}.{name}"
    if field is None:
        yield from _with_options(place, name, value)
    elif isinstance(value, str) and field.choices and value not in field.choices:
        meant = remedy(place, value, field.choices)
        yield Refusal(value, one_of(field.choices, meant=meant), meant)
    elif _is_number(value) and field.bounds != ANY and not field.bounds.admit(value):
        yield Refusal(str(value), f"is out of range: {name} has to be {field.bounds}")


def _without_a_number(fields: Mapping[str, Any]) -> Iterator[Refusal]:
    method = fields.get("method") or fields.get("model")
    if method in _BY_THE_PROMPT and not any(name in fields for name in _COUNTS):
        reason = "needs the number of tokens that are guessed at once"
        yield Refusal(method, reason, "set NUM_SPECULATIVE_TOKENS, to 3 for example")


def _with_options(place: str, name: str, value: Any) -> Iterator[Refusal]:
    """`xgrammar:no-fallback` is of 0.7 and 0.8; no version has had it with this option."""
    of_backend = _BACKENDS.get(place.rpartition(".")[0]) == name
    if of_backend and isinstance(value, str) and ":" in value:
        yield Refusal(value, "is not the name of a backend", f"set {value.partition(':')[0]}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
