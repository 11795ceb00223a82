"""The fields of a form for one version: only settings that this version carries out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from supervisor.catalog import Catalog, Kind, Option
from supervisor.catalog.options import variable
from supervisor.command import legacy, translate
from supervisor.settings import table
from tools.docs import settings

Default = str | int | float | bool
Shape = Literal[table.Form, "select"]

_ACRONYMS = {
    word.upper(): word
    for word in "LoRA LoRAs KV GPU GPUs CPU GB HF RoPE JSON URL OpenAI MM vLLM SSL API V2".split()
}
_SMALL = {"to", "of", "by", "per", "and", "for", "in"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `default` is what the form sends if it is left alone; "" is not set."""

    name: str
    kind: Shape
    default: Default
    sentence: str
    options: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name as a person writes it."""
        words = self.name.split("_")
        first, *rest = (_ACRONYMS.get(word) or word.capitalize() for word in words)
        return " ".join([first, *(w.lower() if w.lower() in _SMALL else w for w in rest)])


#: No option: it stays in the environment, where no command line shows it.
TOKEN = Field("HF_TOKEN", "text", "", "Token for private and gated repositories of the hub.")


def form(catalog: Catalog) -> dict[str, list[Field]]:
    """Category -> its fields, without those that do nothing in this version."""
    own = {row.name: _own(row, row.form) for row in table.TABLE if row.form}
    own[TOKEN.name] = TOKEN
    found: dict[str, list[Field]] = {}
    taken: set[str] = set()
    for title, names in settings.form().items():
        for name, sentence in names.items():
            field = own[name] if name in own else _option(name, sentence, catalog)
            means = _flag(name, catalog)
            if field is not None and means not in taken:
                found.setdefault(title, []).append(field)
                taken.add(means)
    return found


def _flag(name: str, catalog: Catalog) -> str:
    """What tells two names of the same thing: the option of a name, or the name itself."""
    carrier = legacy.carrier(name, catalog)
    if isinstance(carrier, legacy.Alias | legacy.Inverse):
        return catalog.by_variable[variable(carrier.flag)][0].flag
    known = catalog.by_variable.get(name)
    return known[0].flag if known else name


def _own(row: table.Setting[Any], kind: table.Form) -> Field:
    if kind == "text":  # a form sends what it shows, and a text that is sent is the user's word
        return Field(row.name, kind, "", _with_default(row.sentence, row.default_text))
    default: Default = json.loads(row.default_text) if row.default_text else ""
    return Field(row.name, kind, default, row.sentence)


def _option(name: str, sentence: str, catalog: Catalog) -> Field | None:
    known = catalog.by_variable.get(name)
    if known is not None:
        option, spelling = known
        if translate.guard(name, option) is not None:
            return None
        return _of(name, sentence, option, inverse=spelling in option.off)
    if name == legacy.SERVED_NAME:
        return Field(name, "text", "", sentence)
    carrier = legacy.carrier(name, catalog)
    match carrier:
        case legacy.Alias(flag=flag) | legacy.Inverse(flag=flag):
            target, spelling = catalog.by_variable[variable(flag)]
            inverse = isinstance(carrier, legacy.Inverse) or spelling in target.off
            return _of(name, sentence, target, inverse=inverse)
        case legacy.WhenTrue():
            return Field(name, "select", "", sentence, ("", "true", "false"))
        case legacy.Field():
            return Field(name, "number" if legacy.is_number(name) else "text", "", sentence)
        case _:
            return None


def _of(name: str, sentence: str, option: Option, *, inverse: bool) -> Field:
    """A field of an option. Left alone it is not set: what a form sends wins over everything else
    that the user says, a configuration file among it.
    """
    default = option.default
    if option.kind in {Kind.BOOL_PAIR, Kind.STORE_TRUE, Kind.STORE_FALSE, Kind.BOOL_VALUE}:
        shown = str(default is not inverse).lower() if isinstance(default, bool) else ""
        answers = ("", "true") if option.kind is Kind.STORE_TRUE else ("", "true", "false")
        return Field(name, "select", "", _with_default(sentence, shown), answers)
    if option.kind in {Kind.LIST, Kind.APPEND, Kind.JSON, Kind.JSON_OR_STR}:
        return Field(name, "text", "", sentence)
    plain = isinstance(default, str | int | float) and not re.match(r"\w+\(", str(default))
    sentence = _with_default(sentence, str(default) if plain and default != "None" else "")
    if option.choices or option.names:
        choices = tuple(str(choice) for choice in option.choices or option.names)
        return Field(name, "select", "", sentence, ("", *choices))
    number = not option.human_int and option.type in _NUMBERS
    return Field(name, "number" if number else "text", "", sentence)


def _with_default(sentence: str, default: str) -> str:
    return f"{sentence} Default: {default}." if default else sentence


_NUMBERS = {"int", "float", "optional[int]", "optional[float]"}
