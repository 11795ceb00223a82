"""The catalogue as values: which options there are, and how each is spelled."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from ..decoding import read_text
from ..errors import CatalogError
from ..records import dataclass, field
from . import bounds, release
from .bounds import ANY, Bounds

SCHEMA = 1
#: With which an engine is asked for its options, and started where these depend on it.
HASH_SEED = "0"
_SEEDED_BEFORE = (0, 10)
_SHOWN = re.compile(r"\{([^{}]+)\}")  # `{hermes,mistral} or name registered in ...`


class Kind(StrEnum):
    """How an option takes its value on a command line."""

    VALUE = "value"
    BOOL_PAIR = "bool_pair"
    STORE_TRUE = "store_true"
    STORE_FALSE = "store_false"
    BOOL_VALUE = "bool_value"
    OPTIONAL_VALUE = "optional_value"
    LIST = "list"
    APPEND = "append"
    JSON = "json"
    JSON_OR_STR = "json_or_str"
    COUNT = "count"
    STORE_CONST = "store_const"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an option that takes an object: the words that are all it takes, its bounds."""

    choices: tuple[str, ...] = ()
    bounds: Bounds = ANY


@dataclass(frozen=True, slots=True)
class Option:
    """One option of `vllm serve`.

    `on` and `off` are the spellings of a boolean that switch it on and off; never invented, always
    as the parser has them (0.33 pairs `--enable-x` with `--disable-x`, others with `--no-`).

    The parser takes no other value than one of `choices`. What stands behind it knows `names`, and
    where these are `registered` it takes no other, unless a plugin brings it; no number beyond
    `bounds`; `owner` is the class of vLLM's that refuses these. Of an object `keys` are the fields
    that there are, `closed` says that there can be no others, and `fields` what single ones take.
    All of these are empty where the catalogue does not know.
    """

    flag: str
    kind: Kind
    aliases: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    type: str = "str"
    item: str | None = None
    choices: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()
    default: Any = None
    none_ok: bool = False
    human_int: bool = False
    auto_ok: bool = False
    help: str = ""
    registered: bool = False
    bounds: Bounds = ANY
    owner: str = ""
    keys: tuple[str, ...] = ()
    closed: bool = False
    fields: Mapping[str, Field] = field(default_factory=dict)

    @property
    def env(self) -> str:
        """The variable that stands for this option."""
        return variable(self.flag)


@dataclass(frozen=True)
class Catalog:
    """The options of one version of vLLM; or, not complete, those that every known version has.

    `elsewhere` holds the variables that are options of other versions only, where they are known.
    `environment` holds those that vLLM itself reads (`vllm/envs.py`), any version's where this
    one's are not known; `environment_elsewhere` those that only others are known to read.
    """

    version: str
    options: tuple[Option, ...]
    features: Mapping[str, bool] = field(default_factory=dict)
    model_required: bool = False
    complete: bool = True
    elsewhere: frozenset[str] = frozenset()
    environment: frozenset[str] = frozenset()
    environment_elsewhere: frozenset[str] = frozenset()

    @cached_property
    def by_variable(self) -> Mapping[str, tuple[Option, str]]:
        """Variable name -> (option, the spelling on the command line that the name stands for).

        Short aliases (`-tp`) give no variable: TP is too likely to be set for other reasons.
        """
        found: dict[str, tuple[Option, str]] = {}
        for option in self.options:
            spellings = (option.flag, *option.aliases, *option.on, *option.off)
            for spelling in spellings:
                if spelling.startswith("--"):
                    found.setdefault(variable(spelling), (option, spelling))
        return found

    @cached_property
    def by_flag(self) -> Mapping[str, Option]:
        """Every long spelling -> its option."""
        return {
            spelling: option
            for option in self.options
            for spelling in (*option.off, *option.on, *option.aliases, option.flag)
        }

    def seed(self, env: Mapping[str, str]) -> dict[str, str]:
        """PYTHONHASHSEED for the engine, where its options depend on it and `env` has none.

        Parsers before 0.10 take one of several lists of choices out of a set, and which one that is
        changes with each start (--guided-decoding-backend of 0.8.5).
        """
        numbers = release.number(self.version)
        seeded = numbers and numbers < _SEEDED_BEFORE and not env.get("PYTHONHASHSEED")
        return {"PYTHONHASHSEED": HASH_SEED} if seeded else {}

    def option(self, flag: str) -> Option | None:
        """The option with this spelling, if this version has it."""
        return self.by_flag.get(flag)


def variable(flag: str) -> str:
    """`--max-model-len` -> `MAX_MODEL_LEN`."""
    return flag.lstrip("-").replace("-", "_").replace(".", "_").upper()


def parse(data: Any, origin: str) -> Catalog:
    """A catalogue from decoded JSON; `origin` names it in errors.

    Raises:
        CatalogError: it is not a catalogue of schema 1.
    """
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise CatalogError(f"{origin} is not an option catalogue of schema {SCHEMA}; make it again")
    try:
        options = tuple(_option(record) for record in data["options"])
        version = str(data["vllm_version"] or "of unknown version")
        model_required = any(p.get("required") for p in data.get("positionals", ()))
        elsewhere = frozenset(data.get("elsewhere", ()))
        environment = frozenset(data.get("environment", ()))
    except (AttributeError, KeyError, TypeError, ValueError) as reason:
        raise CatalogError(f"{origin} is a damaged option catalogue ({reason!r})") from None
    features, complete = data.get("features", {}), bool(data.get("complete", True))
    return Catalog(version, options, features, model_required, complete, elsewhere, environment)


def load(path: Path) -> Catalog:
    """The catalogue kept in a file.

    Raises:
        CatalogError: the file cannot be read or is not a catalogue.
    """
    try:
        text = read_text(path)
    except OSError as reason:
        raise CatalogError(f"the catalogue {path} cannot be read: {reason.strerror}") from None
    except ValueError as reason:
        raise CatalogError(f"{path} is not an option catalogue: it {reason}") from None
    return loads(text, str(path))


def loads(text: str, origin: str) -> Catalog:
    """The catalogue in a text; `origin` names it in errors.

    Raises:
        CatalogError: the text is not a catalogue.
    """
    try:
        return parse(json.loads(text), origin)  # `json_of` walks all of it, before the spawn
    except (ValueError, RecursionError):
        raise CatalogError(f"{origin} is not JSON; make the catalogue again") from None


def _option(record: Mapping[str, Any]) -> Option:
    names, registered = _names(record)
    return Option(
        flag=record["flag"],
        kind=Kind(record["kind"]),
        aliases=tuple(record.get("aliases", ())),
        on=tuple(record.get("on", ())),
        off=tuple(record.get("off", ())),
        type=record.get("type") or "str",
        item=record.get("item"),
        choices=tuple(record.get("choices", ())),
        default=record.get("default"),
        none_ok=bool(record.get("none_ok")),
        human_int=bool(record.get("human_int")),
        auto_ok=bool(record.get("auto_ok")),
        help=record.get("help", ""),
        names=names,
        registered=registered,
        bounds=bounds.parse(record.get("bounds")),
        owner=record.get("owner", ""),
        keys=tuple(record.get("keys") or record.get("json_keys") or ()),
        closed=bool(record.get("closed")),
        fields={name: _field(each) for name, each in record.get("fields", {}).items()},
    )


def _names(record: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """Names that an option takes, and whether they are all that are registered.

    Parsers show `["auto", "hf"]`, which may be some of them, or what is registered:
    `{hermes,mistral} or name registered in --tool-parser-plugin`.
    """
    if found := record.get("names"):
        return tuple(str(name) for name in found), True
    metavar = record.get("metavar")
    if isinstance(metavar, list):
        return tuple(str(name) for name in metavar), False
    listed = _SHOWN.match(metavar) if isinstance(metavar, str) else None
    return tuple(name.strip() for name in listed[1].split(",")) if listed else (), bool(listed)


def _field(record: Mapping[str, Any]) -> Field:
    return Field(tuple(record.get("choices", ())), bounds.parse(record.get("bounds")))
