"""The items of --lora-modules: `name=path`, or an object with both. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ...catalog import Option
from ..arguments import Argument, Arguments
from ..values import words
from .refusal import Refusal

_LORA, _PROMPT = FLAGS = ("--lora-modules", "--prompt-adapters")
_FORM = 'write sql=/adapters/sql, or {"name":"sql","path":"/adapters/sql"}'


def check(option: Option, argument: Argument, _options: Arguments) -> Iterator[Refusal]:
    """Refuse an item of which vLLM's parser makes no adapter."""
    if option.flag == _PROMPT:
        for item in argument.values:
            if item.count("=") != 1:
                yield Refusal(item, "is not name=path", "write name=/adapters/prompt")
    elif option.flag == _LORA and any(words.is_torn(item) for item in argument.values):
        yield Refusal(" ".join(argument.values), words.TORN, words.IN_QUOTES)
    elif option.flag == _LORA:
        for item in argument.values:
            if item not in {"", "None"} and (reason := _wrong(item)):
                yield Refusal(item, reason, _FORM)


def paths(item: str) -> str:
    """Where the adapter of an item lies, or the name of its repository; empty for no adapter."""
    if "=" in item and "," not in item:
        return item.partition("=")[2]
    try:
        found = json.loads(item)
    except ValueError:
        return ""
    path = found.get("path") if isinstance(found, dict) else None
    return path if isinstance(path, str) else ""


def _wrong(item: str) -> str:
    """Read as vLLM reads it: with `=` and without a comma it is the short form."""
    if "=" in item and "," not in item:
        name, _, path = item.partition("=")
        return "" if name and path else "has no name or no path"
    try:
        found = json.loads(item)
    except ValueError:
        return "is neither name=path nor JSON"
    if not isinstance(found, dict):
        return "is not a JSON object"
    missing = [key for key in ("name", "path") if not found.get(key)]
    return f"has no {' and no '.join(missing)}" if missing else ""
