"""Prints the catalogue of the vLLM that is installed beside the interpreter that runs this file.

    ENGINE_PYTHON introspect.py > catalogue.json

It imports nothing of ours and no name of vLLM's own modules on the main way: the console script's
entry point is loaded and called with `parse_args` replaced by a trap, so that what is read is the
very parser that `vllm serve` would have used. (The module that builds the parser has moved twice,
and the parser's class once.) Exit code 3 and a traceback on stderr where no way in works.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import enum
import importlib
import importlib.metadata
import importlib.util
import io
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

SCHEMA = 1
_STARTED = time.perf_counter()
_REFUSED = object()
_HELP_LENGTH = 300

#: Reading a parser must not reach for the network or a hub, and its log is not ours.
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class _Trapped(BaseException):
    """Carries the parser out; no `except Exception` on the way may swallow it."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def main() -> None:
    """Write the catalogue to standard output, and nothing else."""
    os.environ.update(_QUIET)
    output = os.dup(1)
    os.dup2(2, 1)  # libraries print to stdout while they are imported
    # 0.10 to 0.20 build help texts only for "mkdocs", later ones only where "--help" is part of an
    # argument; neither is --help itself, which would leave --model out.
    sys.argv = ["mkdocs", "serve", "x--help"]
    problems: list[str] = []
    route, parser = _find_parser(problems)
    loaded = time.perf_counter()
    catalogue = {
        "schema": SCHEMA,
        "vllm_version": _version(),
        "route": route,
        "python": "{}.{}".format(*sys.version_info[:2]),
        "problems": problems,
        "features": _features(parser),
        "positionals": _positionals(parser),
        "options": _options(parser),
        "seconds": {
            "load": round(loaded - _STARTED, 3),
            "describe": round(time.perf_counter() - loaded, 3),
        },
    }
    with os.fdopen(output, "w", encoding="utf-8") as stdout:
        json.dump(catalogue, stdout)
        stdout.write("\n")


# --- the way in ---


def _find_parser(problems: list[str]) -> tuple[str, argparse.ArgumentParser]:
    for route, build in _routes():
        for _attempt in range(2):
            try:
                return route, _serve(build()) or _missing()
            except SystemExit as ended:
                problems.append(f"{route}: exit {ended.code}")
                break
            except Exception as fault:  # noqa: BLE001 - whatever vLLM raises, another way may work
                problems.append(f"{route}: {fault!r}")
                if not _name_a_device(problems):
                    break
    raise RuntimeError("no way to the parser works: " + "; ".join(problems))


def _missing() -> argparse.ArgumentParser:
    raise LookupError("there is no `serve` parser")


def _routes() -> Iterator[tuple[str, Callable[[], argparse.ArgumentParser]]]:
    """Ways to the parser, the most stable first."""
    for point in importlib.metadata.entry_points(group="console_scripts"):
        if point.name == "vllm":
            yield f"console_script {point.value}", partial(_trap_entry_point, point)
    for value in ("vllm.entrypoints.cli.main:main", "vllm.scripts:main"):
        module, _, name = value.partition(":")
        yield f"module {value}", partial(_trap_function, module, name)
    for module in _modules_with_a_parser():
        yield f"make_arg_parser {module}", partial(_made, module)


def _trap_entry_point(point: importlib.metadata.EntryPoint) -> argparse.ArgumentParser:
    return _trap(point.load())


def _trap_function(module: str, name: str) -> argparse.ArgumentParser:
    return _trap(getattr(importlib.import_module(module), name))


def _modules_with_a_parser() -> Iterator[str]:
    spec = importlib.util.find_spec("vllm")
    if spec is None or spec.origin is None:
        return
    package = Path(spec.origin).parent
    for path in sorted((package / "entrypoints").rglob("cli_args.py")):
        if "def make_arg_parser" in path.read_text(encoding="utf-8"):
            yield ".".join(path.relative_to(package.parent).with_suffix("").parts)


def _made(name: str) -> argparse.ArgumentParser:
    module = importlib.import_module(name)
    parser_class = getattr(module, "FlexibleArgumentParser", argparse.ArgumentParser)
    parser: argparse.ArgumentParser = module.make_arg_parser(parser_class())
    return parser


def _trap(run: Callable[[], object]) -> argparse.ArgumentParser:
    """Call `run` and return the parser of the first `parse_args` that knows `serve`."""
    original = {name: getattr(argparse.ArgumentParser, name) for name in _PARSING}

    def trapping(name: str) -> Callable[..., Any]:
        def parse(self: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> Any:
            if _serve(self) is not None:
                raise _Trapped(self)
            return original[name](self, *args, **kwargs)

        return parse

    for name in _PARSING:
        setattr(argparse.ArgumentParser, name, trapping(name))
    try:
        run()
    except _Trapped as trapped:
        return trapped.parser
    finally:
        for name, function in original.items():
            setattr(argparse.ArgumentParser, name, function)
    raise LookupError("it ended without parsing arguments")


_PARSING = ("parse_args", "parse_known_args")


def _serve(parser: argparse.ArgumentParser) -> argparse.ArgumentParser | None:
    """The parser of `vllm serve` in `parser`; some versions have a flat one."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and "serve" in (action.choices or {}):
            found: argparse.ArgumentParser = action.choices["serve"]
            return found
    return parser if "--max-model-len" in parser._option_string_actions else None


def _name_a_device(problems: list[str]) -> bool:
    """On a builder without a GPU, a GPU build knows no platform, and 0.10 and later then fail with
    "Failed to infer device type". Give that very class a device, so that every module that already
    has the object sees it; the next try costs little because the modules are loaded.
    """
    platforms = sys.modules.get("vllm.platforms")
    current: Any = type(getattr(platforms, "current_platform", None))
    if current.__name__ != "UnspecifiedPlatform" or getattr(current, "device_type", "") == "cpu":
        return False
    current.device_type = "cpu"
    current.device_name = getattr(current, "device_name", None) or "cpu"
    current.is_cpu = lambda _self: True  # 0.6 asks this one
    problems.append("platform unspecified: device_type set to 'cpu'")
    return True


def _version() -> str | None:
    try:
        return importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        return getattr(sys.modules.get("vllm"), "__version__", None)


# --- what the parser accepts ---


def _options(parser: argparse.ArgumentParser) -> list[dict[str, Any]]:
    spellings: dict[int, tuple[argparse.Action, list[str]]] = {}
    for spelling, action in parser._option_string_actions.items():  # the hidden ones too
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


def _positionals(parser: argparse.ArgumentParser) -> list[dict[str, Any]]:
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
    record["default"] = None if suppressed else _plain(action.default)
    if suppressed:
        record["default_suppressed"] = True
    record["required"] = bool(action.required)
    record.update(_help(action, flag))
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
    token, record = _token(action)
    name = type(action).__name__.lower()
    if action.nargs in {"+", "*"} or isinstance(action.nargs, int):
        record.update(kind="list", item=token)
    elif action.nargs == "?":
        answers = [_result(parser, action, action.option_strings[0], word) for word in _WORDS]
        record.update(
            kind="bool_value" if answers == [True, False] else "optional_value",
            const=_plain(action.const),
        )
    elif "append" in name or "extend" in name:
        record.update(kind="append", item=token)
    elif token == "csv":
        record.update(kind="value", item="csv")
    else:
        record["kind"] = "value" if token == "scalar" else token
    if record["kind"] in {"json", "json_or_str"}:
        record.update(_fields(action))
    record["nargs"] = action.nargs
    record["type"] = _type_name(action.type)
    if action.choices is not None:
        # 0.28 lists the word None and converts it to the value None, which it does not list.
        said = [choice for choice in action.choices if choice is not None]
        record["choices"] = [_plain(c) for c in said if _arrives(action, str(c), said)]
        if record.get("none_ok") and None not in action.choices:
            del record["none_ok"]
    if action.metavar is not None:
        record["metavar"] = _plain(action.metavar)
    return record


_WORDS = ("true", "false")


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


def _token(action: argparse.Action) -> tuple[str, dict[str, Any]]:
    """What one token is converted to (scalar, json, json_or_str, csv), found by trying."""
    convert = action.type
    if convert is None or convert is str or not callable(convert):
        return "scalar", {}
    found: dict[str, Any] = {}
    if _converted(convert, "None") is None:
        found["none_ok"] = True
    if type(_converted(convert, "1")) is int:
        if _converted(convert, "1k") == 1000:
            found["human_int"] = True
        if _converted(convert, "auto") == -1:
            found["auto_ok"] = True
    word, json_object = _converted(convert, "zzz_word"), _converted(convert, "{}")
    if isinstance(word, (list, tuple)):
        return "csv", found
    if json_object is not _REFUSED and not isinstance(json_object, str):
        return ("json_or_str" if isinstance(word, str) else "json"), found
    if "json" in _type_name(convert):  # a dataclass with required fields refuses "{}"
        return "json", found
    return "scalar", found


def _arrives(action: argparse.Action, text: str, choices: list[Any]) -> bool:
    """Whether `text`, converted as the parser does it, is one of the choices."""
    return not callable(action.type) or _converted(action.type, text) in choices


def _converted(convert: Callable[[str], Any], text: str) -> Any:
    try:
        return convert(text)
    except (Exception, SystemExit):  # noqa: BLE001 - a type may refuse in any way it likes
        return _REFUSED


def _type_name(convert: Any, depth: int = 0) -> str:
    """A readable name of a type; looks through the closures in which vLLM wraps its types."""
    if convert is None:
        return "str"
    name = getattr(convert, "__name__", None) or type(convert).__name__
    inner = []
    if depth < 4:
        inner = [
            _type_name(value, depth + 1)
            for value in _cells(convert)
            if callable(value) and value is not convert
        ]
        inner += [v.__name__ for v in getattr(convert, "__defaults__", None) or () if _is_class(v)]
    if getattr(convert, "__module__", "") == "json":
        name = f"json.{name}"
    name = _NAMES.get(name, name)
    if inner:
        return f"{name}[{','.join(inner)}]" if name else inner[0]
    return name or "str"


_NAMES = {
    "_optional_type": "optional",
    "_parse_type": "",
    "parse_dataclass": "json_dataclass",
    "<lambda>": "lambda",
}


def _fields(action: argparse.Action) -> dict[str, Any]:
    """The names of the fields that a JSON option takes, where a dataclass stands behind it."""
    waiting, seen = [action.type], set()
    while waiting:
        found: Any = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        if _is_class(found):
            if dataclasses.is_dataclass(found):
                keys = [field.name for field in dataclasses.fields(found) if field.init]
                return {"json_class": getattr(found, "__name__", "?"), "json_keys": keys}
            continue
        waiting += _cells(found)
        waiting += getattr(found, "__defaults__", None) or ()
        waiting.append(getattr(found, "__func__", None))
        owner = getattr(found, "__self__", None)
        waiting.append(owner if _is_class(owner) else None)
    return {}


def _cells(function: Any) -> list[Any]:
    found = []
    for cell in getattr(function, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # an empty cell
            found.append(cell.cell_contents)
    return found


def _is_class(value: object) -> bool:
    return isinstance(value, type)


def _plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON can hold it."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else repr(value)
    if isinstance(value, enum.Enum):
        return value.name
    if depth < 5:
        if isinstance(value, (set, frozenset)):
            value = sorted(value, key=repr)
        if isinstance(value, (list, tuple)):
            return [_plain(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    return repr(value)[:_HELP_LENGTH]


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
    found["help"] = text.split("\n", 1)[0][:_HELP_LENGTH].replace("%%", "%")
    return found


def _features(parser: argparse.ArgumentParser) -> dict[str, bool]:
    """What the parser's class understands, found by asking it."""

    def answers(arguments: list[str], name: str, kind: Any, expected: object) -> bool:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                asked = type(parser)(add_help=False)
                asked.add_argument(name, type=kind)
                got = vars(asked.parse_args(arguments)).get(name.strip("-").replace("-", "_"))
            except (Exception, SystemExit):  # noqa: BLE001 - a refusal is an answer
                return False
        return bool(got == expected)

    return {
        "dotted_json": answers(["--j-x.a.b", "1"], "--j-x", json.loads, {"a": {"b": 1}}),
        "dotted_list_plus": answers(["--j-x.a+", "p,q"], "--j-x", json.loads, {"a": ["p", "q"]}),
        "underscore_ok": answers(["--a_b", "1"], "--a-b", str, "1"),
        "abbrev": bool(parser.allow_abbrev),
        "config_file": "--config" in parser._option_string_actions,
    }


if __name__ == "__main__":
    try:
        main()
    except BaseException:  # noqa: BLE001 - the caller reads the reason from stderr
        traceback.print_exc()
        os._exit(3)
    # Skips torch's teardown, 2 to 3 s; and nothing of vLLM is worth an orderly end here.
    os._exit(0)
