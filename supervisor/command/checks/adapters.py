"""The items of --lora-modules: `name=path`, or an object with both; the switch for them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...catalog import Option
from ...catalog.options import variable
from ...decoding import json_of
from ..arguments import Argument, Arguments
from ..values import words
from .names import is_on
from .refusal import Refusal

_LORA, _PROMPT = FLAGS = ("--lora-modules", "--prompt-adapters")
_BY_MEDIA = "--default-mm-loras"
#: Options that name adapters -> the switch without which the engine has none.
_SWITCHES: Mapping[str, str] = {
    _LORA: "--enable-lora",
    _BY_MEDIA: "--enable-lora",
    _PROMPT: "--enable-prompt-adapter",
}
_NO_ITEM = {"", "None"}  # no adapter, as an item
_NO_MEDIA = {*_NO_ITEM, "null", "{}"}  # none for any medium: JSON
_CONFIG = "--config"  # a file that may turn the switch on
#: Of --lora-modules before 0.10: those versions start, and refuse each request for an adapter.
_OF_OLD = "nullable_str"
_FORM = 'write sql=/adapters/sql, or {"name":"sql","path":"/adapters/sql"}'


def check(option: Option, argument: Argument, options: Arguments) -> Iterator[Refusal]:
    """Refuse an item of which vLLM's parser makes no adapter, and adapters that are not enabled."""
    if option.flag not in _SWITCHES:
        return
    wrong = tuple(_no_adapters(option, argument))
    yield from wrong or _not_enabled(option, argument, options)


def _no_adapters(option: Option, argument: Argument) -> Iterator[Refusal]:
    if option.flag == _PROMPT:
        for item in argument.values:
            if item.count("=") != 1:
                yield Refusal(item, "is not name=path", "write name=/adapters/prompt")
    elif option.flag == _LORA and any(words.is_torn(item) for item in argument.values):
        yield Refusal(" ".join(argument.values), words.TORN, words.IN_QUOTES)
    elif option.flag == _LORA:
        for item in argument.values:
            if item not in _NO_ITEM and (reason := _wrong(item)):
                yield Refusal(item, reason, _FORM)


def _not_enabled(option: Option, argument: Argument, options: Arguments) -> Iterator[Refusal]:
    """VLLM ends over it once all weights are loaded. What stands for media it drops in silence."""
    switch = _SWITCHES[option.flag]
    said = options.last(switch)
    none = _NO_MEDIA if option.flag == _BY_MEDIA else _NO_ITEM
    if is_on(options, switch) or all(value in none for value in argument.values):
        return
    if said is None and options.last(_CONFIG) is not None:
        return
    name = variable(switch)
    reason = f"needs {name}, which is {'not set' if said is None else 'off'}"
    certain = option.flag == _LORA and option.type != _OF_OLD
    yield Refusal("", reason, f"set {name}=true", certain=certain)


def paths(item: str) -> str:
    """Where the adapter of an item lies, or the name of its repository; empty for no adapter."""
    if "=" in item and "," not in item:
        return item.partition("=")[2]
    try:
        found = json_of(item)
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
        found = json_of(item)
    except ValueError:
        return "is neither name=path nor JSON"
    if not isinstance(found, dict):
        return "is not a JSON object"
    missing = [key for key in ("name", "path") if not found.get(key)]
    return f"has no {' and no '.join(missing)}" if missing else ""
