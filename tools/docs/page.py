"""`docs/configuration.md`: every setting, where it comes from and what it becomes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from supervisor.catalog import Catalog, Kind, Option
from supervisor.command import legacy, translate
from supervisor.command.legacy import Alias, Field, Gone, Inverse, WhenTrue
from supervisor.settings.table import TABLE, Setting
from tools.docs import common, known

_LONG = 12  # choices: more than these do not help in a table


def text() -> str:
    """The whole page."""
    newest = known.catalogs()[known.DEFAULT]
    parts = [
        _part("rules").format(common=len(common.options())),
        "## Settings of the worker\n\n" + _own(),
        _part("defaults").format(
            memory=_default(newest, "--gpu-memory-utilization"),
            model=f"`{_default(newest, '--model')}`",
            version=newest.version,
        ),
        _old_names(),
        _guarded(newest),
        _options(newest),
        _names(newest),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def memory_share() -> float:
    """What the newest vLLM takes of a GPU's memory by default, of 1."""
    share = _default(known.catalogs()[known.DEFAULT], "--gpu-memory-utilization")
    return float(str(share))


def _part(name: str) -> str:
    """A part that is written by hand."""
    return Path(__file__).with_name(f"{name}.md").read_text(encoding="utf-8")


def _default(catalog: Catalog, flag: str) -> object:
    option = catalog.option(flag)
    return option.default if option else None


def _own() -> str:
    rows = [
        (
            f"`{row.name}`",
            f"`{default}`" if (default := row.default_text) else "",
            row.unit,
            " ".join([row.sentence, *_other_names(row)]),
        )
        for row in TABLE
    ]
    return table(("setting", "default", "unit", ""), rows)


def _other_names(row: Setting[Any]) -> list[str]:
    """What else may say it."""
    also = ", else ".join(f"`{name}`" for name in row.also)
    return [
        *([f"Older workers: `{row.former}`."] if row.former else []),
        *([f"Where it is not set: {also}."] if also else []),
    ]


def _old_names() -> str:
    versions = list(known.catalogs())
    rows = []
    for name in sorted(legacy.names() | {"MODEL_NAME", "HF_TOKEN"}):
        cells = [becomes(name, catalog) for catalog in known.catalogs().values()]
        rows.append((f"`{name}`", *_folded(versions, cells)))
    zeros = ", ".join(f"`{name}`" for name in sorted(legacy.ZERO_IS_UNSET))
    return (
        "## Names of older workers\n\n"
        "A name that is an option of the installed vLLM is that option. These are carried over"
        " where the option has another name, does nothing any more or is gone.\n\n"
        + table(("name", f"vLLM {versions[0]}", "older versions"), rows)
        + f"\n`0` means not set, as it did for older workers, in {zeros}; everywhere else 0 is 0."
        " `None`, in any case of its letters, means not set everywhere but where an option has"
        " such a choice. `TASK` becomes `--task`, or `--runner` and `--convert` where vLLM has"
        " these instead.\n"
    )


def _folded(versions: Sequence[str], cells: Sequence[str]) -> tuple[str, str]:
    """What the newest makes of a name, and what others make of it where that differs."""
    different: dict[str, list[str]] = {}
    for version, cell in zip(versions[1:], cells[1:], strict=True):
        if cell != cells[0]:
            different.setdefault(cell, []).append(version)
    others = [f"{', '.join(where)}: {cell}" for cell, where in different.items()]
    return cells[0], "; ".join(others)


def becomes(name: str, catalog: Catalog) -> str:
    """What an old name, or an option's, is in this version."""
    if name == "MODEL_NAME":
        return "the first argument"
    if name == "HF_TOKEN":
        return "stays in the environment"
    if name == legacy.SERVED_NAME:
        return "`--served-model-name`, before the model's own name"
    if legacy.is_an_option(name, catalog):
        return f"`{_spelling(*catalog.by_variable[name])}`"
    match legacy.carrier(name, catalog):
        case Alias(flag=flag):
            return f"`{flag}`"
        case Inverse(flag=flag):
            option = catalog.option(flag)
            return f"`{option.off[0]}`" if option else ""
        case WhenTrue(flag=flag, value=value):
            return f"`{flag}={value}` if true"
        case Field(flag=flag, path=path):
            return f"`{'.'.join(path)}` in `{flag}`"
        case legacy.Environment():
            return "stays in the environment, where the engine reads it"
        case Gone(reason=reason, remedy=remedy):
            return f"no effect: {reason}; {remedy}"
        case _:
            return "no equivalent"


def _spelling(option: Option, spelling: str) -> str:
    """As a command line has it where the variable is true: a switch may have several for off."""
    return translate.spell(option, spelling, "true")[0] if option.off else spelling


def _guarded(catalog: Catalog) -> str:
    names: dict[str, list[str]] = {}
    for option in sorted(catalog.options, key=lambda option: option.env):
        if reason := translate.guard(option.env, option):
            names.setdefault(reason, []).append(f"`{option.env}`")
    rows = [(", ".join(same), reason) for reason, same in names.items()]
    return (
        "## Names that do not become options\n\n"
        "They are set for other reasons too often, or hold a secret. `explain` lists those that are"
        " set.\n\n" + table(("name", "why, and the way to say it"), rows)
    )


def _options(catalog: Catalog) -> str:
    records = json.loads((known.FOLDER / f"vllm-{catalog.version}.json").read_text())["options"]
    groups = {record["flag"]: record["group"] for record in records}
    found: dict[str, list[Option]] = {}
    for option in catalog.options:
        if not translate.guard(option.env, option):
            found.setdefault(_group(groups[option.flag]), []).append(option)
    parts = [f"## Options of vLLM {catalog.version}\n"]
    for title, options in sorted(found.items()):
        rows = [
            (f"`{option.env}`", _values(option), _plain_default(option), _sentence(option.help))
            for option in sorted(options, key=lambda option: option.env)
        ]
        parts.append(f"### {title}\n\n" + table(("setting", "values", "default", ""), rows))
    return "\n".join(parts)


def _names(catalog: Catalog) -> str:
    """What is too long for the table."""
    rows = [
        (f"`{option.env}`", ", ".join(f"`{name}`" for name in option.choices or option.names))
        for option in sorted(catalog.options, key=lambda option: option.env)
        if len(option.choices or option.names) > _LONG
    ]
    return f"## Names\n\nThose of vLLM {catalog.version}; other versions have others.\n\n" + table(
        ("setting", "values"), rows
    )


def _group(name: str) -> str:
    if name == "options":
        return "Others"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Config"))
    return words.strip() or name


_KINDS = {
    Kind.BOOL_PAIR: "true, false",
    Kind.BOOL_VALUE: "true, false",
    Kind.STORE_TRUE: "true",
    Kind.STORE_FALSE: "true",
    Kind.LIST: "list",
    Kind.APPEND: "list",
    Kind.JSON: "JSON",
    Kind.JSON_OR_STR: "JSON or text",
}


def _values(option: Option) -> str:
    names = option.choices or option.names
    if len(names) > _LONG:
        return f"one of {len(names)} [names](#names)"
    if names:
        listed = ", ".join(f"`{name}`" for name in names)
        return f"list of {listed}" if option.kind is Kind.LIST else listed
    if option.kind in _KINDS:
        return _KINDS[option.kind]
    if option.human_int:
        return "whole number, 8k, 8K, auto" if option.auto_ok else "whole number, 8k, 8K"
    if "int" in option.type:
        return "whole number"
    return "number" if "float" in option.type else "text"


def _plain_default(option: Option) -> str:
    default = shown_default(option)
    return f"`{default}`" if default else ""


def shown_default(option: Option) -> str:
    """An option's default as a user would write it; empty where none can be said."""
    default = option.default
    if default in (None, "", {}, []) or (isinstance(default, str) and len(default) > 40):
        return ""
    return _shown(default)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


def _sentence(help_text: str) -> str:
    """The whole sentences of a help text, of which the catalogue has the first line."""
    whole = re.match(r".*[.!](?=\s|$)", help_text)
    if whole:
        return whole[0]
    return f"{help_text.rstrip(' :,')} …" if help_text else ""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as Markdown."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [str(cell).replace("|", "\\|").replace("<", "&lt;") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
