"""Each option of the parser as a record of the catalogue. Pure: actions in, JSON's values out."""

from __future__ import annotations

import argparse
from typing import Any

from . import conversion
from .names import names
from .plain import TEXT_MOST, plain

_REFUSED = object()


def options(parser: argparse.ArgumentParser) -> list[dict[str, Any]]:
    """The options that `parser` takes, the hidden ones too, without those that only print."""
    spellings: dict[int, tuple[argparse.Action, list[str]]] = {}
    for spelling, action in parser._option_string_actions.items():
        spellings.setdefault(id(action), (action, []))[1].append(spelling)
    groups = {
        id(action): group.title
        for group in parser._action_groups
        for action in group._group_actions
    }
    return [
        _option(parser, action, found, groups.get(id(action)))
        for action, found in spellings.values()
        if any(spelling.startswith("--") for spelling in found)
        and not isinstance(action, (argparse._HelpAction, argparse._VersionAction))
    ]


def positionals(parser: argparse.ArgumentParser) -> list[dict[str, Any]]:
    """The arguments that `parser` takes without an option."""
    return [
        {"dest": action.dest, "nargs": action.nargs, "required": bool(action.required)}
        for action in parser._actions
        if not action.option_strings and action.dest not in {"help", argparse.SUPPRESS}
    ]


def _option(
    parser: argparse.ArgumentParser,
    action: argparse.Action,
    spellings: list[str],
    group: str | None,
) -> dict[str, Any]:
    own = [spelling for spelling in action.option_strings if spelling.startswith("--")]
    flag = (own or [spelling for spelling in spellings if spelling.startswith("--")])[0]
    record: dict[str, Any] = {
        "flag": flag,
        "dest": action.dest,
        "aliases": [spelling for spelling in spellings if spelling != flag],
        "group": group,
        "action": type(action).__name__,
    }
    record.update(
        _switch(parser, action, spellings) if action.nargs == 0 else _valued(parser, action)
    )
    record["aliases"] = [name for name in record["aliases"] if name not in record.get("off", ())]
    suppressed = action.default is argparse.SUPPRESS
    record["default"] = None if suppressed else plain(action.default)
    if suppressed:
        record["default_suppressed"] = True
    record["required"] = bool(action.required)
    record.update(_help(action, flag))
    if registered := names(flag, action.choices, action.metavar):
        record["names"] = registered
    return record


def _switch(
    parser: argparse.ArgumentParser, action: argparse.Action, spellings: list[str]
) -> dict[str, Any]:
    """A flag without a value. What a spelling does is asked of the action, never of the spelling:
    0.33 pairs --enable-x with --disable-x and hides --no-enable-x.
    """
    results = {spelling: _result(parser, action, spelling, []) for spelling in spellings}
    on = [spelling for spelling, value in results.items() if value is True]
    off = [spelling for spelling, value in results.items() if value is False]
    if on and off:
        kind = "bool_pair"
    elif on or off:
        kind = "store_true" if on else "store_false"
    else:
        kind = "count" if "Count" in type(action).__name__ else "store_const"
    return {
        "kind": kind,
        "on": [spelling for spelling in on if spelling.startswith("--")],
        "off": [spelling for spelling in off if spelling.startswith("--")],
    }


def _valued(parser: argparse.ArgumentParser, action: argparse.Action) -> dict[str, Any]:
    token, record = conversion.of_a_token(action)
    name = type(action).__name__.lower()
    if action.nargs in {"+", "*"} or isinstance(action.nargs, int):
        record.update(kind="list", item=token)
    elif action.nargs == "?":
        answers = [_result(parser, action, action.option_strings[0], word) for word in _WORDS]
        record.update(
            kind="bool_value" if answers == [True, False] else "optional_value",
            const=plain(action.const),
        )
    elif "append" in name or "extend" in name:
        record.update(kind="append", item=token)
    elif token == "csv":
        record.update(kind="value", item="csv")
    else:
        record["kind"] = "value" if token == "scalar" else token
    # --prompt-adapters of 0.6 to 0.9: its action parts each item, and None has no parts.
    parts_none = _result(parser, action, action.option_strings[0], [None]) is _REFUSED
    if record["kind"] == "list" and record.get("none_ok") and parts_none:
        del record["none_ok"]
    if record["kind"] in {"json", "json_or_str"}:
        record.update(conversion.fields(action))
    record["nargs"] = action.nargs
    record["type"] = conversion.type_name(action.type)
    if action.choices is not None:
        record["choices"] = _choices(action)
        if record.get("none_ok") and None not in action.choices:
            del record["none_ok"]
    if action.metavar is not None:
        record["metavar"] = plain(action.metavar)
    return record


_WORDS = ("true", "false")


def _choices(action: argparse.Action) -> list[Any]:
    # 0.28 lists the word None and converts it to the value None, which it does not list.
    said = [choice for choice in action.choices or () if choice is not None]
    return [plain(choice) for choice in said if conversion.arrives(action, str(choice), said)]


def _result(
    parser: argparse.ArgumentParser, action: argparse.Action, spelling: str, values: Any
) -> Any:
    """What the action makes of `values` when it stands as `spelling`."""
    namespace = argparse.Namespace()
    try:
        action(parser, namespace, values, spelling)
    except (Exception, SystemExit):  # noqa: BLE001 - an action may refuse in any way it likes
        return _REFUSED
    return getattr(namespace, action.dest, _REFUSED)


def _help(action: argparse.Action, flag: str) -> dict[str, Any]:
    hidden = action.help == argparse.SUPPRESS
    text = "" if hidden else (action.help or "").strip()
    low = text.lower()
    deprecated = (
        bool(getattr(action, "deprecated", False))
        or "deprecat" in type(action).__name__.lower()
        or low.startswith(("[deprecated", "deprecated"))
        or f"{flag} is deprecated" in low
    )
    found: dict[str, Any] = {"hidden": True} if hidden else {}
    found["deprecated"] = deprecated
    if not deprecated and ("deprecated" in low or "will be removed" in low):
        found["deprecated_hint"] = True
    found["help"] = text.split("\n", 1)[0][:TEXT_MOST].replace("%%", "%")
    return found
