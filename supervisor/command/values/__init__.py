"""Checks a value by what the catalogue says of its option. Pure.

A valid value stays as written, but for words that stand for JSON: `image=4` becomes `{"image":4}`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ... import decoding
from ...catalog import Kind, Option
from ...decoding import json_of
from . import words
from .examples import EXAMPLES, example
from .remedies import Refused, one_of, remedy

# vLLM's human_readable_int: 1k = 1000, 1K = 1024; a fraction only with the decimal suffixes.
_HUMAN_INT = re.compile(r"\d+[KMGT]|\d+(\.\d+)?[kmgt]")
_HUMAN_IN_JSON = re.compile(r'("(?:[^"\\]|\\.)*")|\b\d+(?:\.\d+)?[kKmMgGtT]\b')
_SCALE = {"k": 3, "m": 6, "g": 9, "t": 12}
_OBJECT = ("{", "[", '"')


def written(option: Option, text: str) -> str:
    """`text` as the engine takes it as the value of `option`.

    Raises:
        Refused: what is accepted, as the end of a sentence that begins with the name and value.
    """
    text = text.strip()
    if option.none_ok and text == "None":
        return text
    if option.kind in {Kind.JSON, Kind.JSON_OR_STR}:
        text = _json_of_words(option, text)
    elif "kvs" in option.type:
        text = _words_of_json(option, text)
    check(option, text)
    return text


def check(option: Option, text: str) -> None:
    """Accept `text` as the value of `option`.

    Raises:
        Refused: what is accepted, as the end of a sentence that begins with the name and value.
    """
    if option.none_ok and text == "None":
        return
    if option.kind in {Kind.JSON, Kind.JSON_OR_STR}:
        _check_json(option, text)
    else:
        _check_type(option, text)
        _check_choice(option, text)


def items(option: Option, text: str) -> list[str]:
    """The items of a list: a JSON list, one JSON object, or words parted by commas or white space.

    Raises:
        Refused: no such list, or an item of the wrong type.
    """
    stripped = text.strip()
    if stripped.startswith(("[", "{")):
        found = _json(option, stripped)
        found = found if isinstance(found, list) else [found]
        parts = [item if isinstance(item, str) else words.compact(item) for item in found]
    else:
        parts = words.split(stripped)
    if not parts:
        raise Refused("is an empty list; unset it instead")
    for part in parts:
        if part.startswith("-") and not re.fullmatch(r"-\d+(\.\d+)?", part):
            raise Refused(f"contains {part}, which the engine would read as an option")
    check_items(option, parts)
    return parts


def check_items(option: Option, parts: Sequence[str]) -> None:
    """Accept each of `parts` as an item of the list `option`.

    Raises:
        Refused: as `check`; among several items the one is named.
    """
    for part in parts:
        try:
            check(option, part)
        except Refused as refusal:
            if len(parts) == 1:
                raise
            raise Refused(f"has {part} in it, which {refusal}", refusal.remedy) from None


def number(text: str) -> float | None:
    """A number as vLLM's parser reads it, with or without a suffix; None for anything else."""
    suffix = text[-1:]
    if suffix.lower() in _SCALE and _HUMAN_INT.fullmatch(text):
        power = _SCALE[suffix.lower()]
        scale: int = 10**power if suffix.islower() else 1024 ** (power // 3)
        return float(text[:-1]) * scale
    try:
        return float(text)
    except ValueError:
        return None


def decoded(option: Option, text: str) -> Any:
    """A text as JSON. Options with a class behind them take 80g in it, where later versions do.

    Raises:
        ValueError: it is not JSON.
    """
    return json_of(_without_suffixes(option, text))


def with_repeated(option: Option, text: str) -> tuple[Any, tuple[str, ...]]:
    """As `decoded`, and the keys that stand more than once in an object of it."""
    return decoding.with_repeated(_without_suffixes(option, text))


def _without_suffixes(option: Option, text: str) -> str:
    if "json_dataclass" not in option.type:
        return text
    return _HUMAN_IN_JSON.sub(lambda match: match[1] or str(number(match[0])), text)


def _json_of_words(option: Option, text: str) -> str:
    if text.startswith(_OBJECT) or not text:
        return text
    if isinstance(option.default, list):
        return words.compact(words.split(text))
    found = words.an_object(text)
    return text if found is None else words.compact(found)


def _words_of_json(option: Option, text: str) -> str:
    """0.6 takes `image=4,video=1` alone."""
    found = _json(option, text) if text.startswith("{") else {}
    return ",".join(f"{key}={value}" for key, value in found.items()) or text


def _check_json(option: Option, text: str) -> None:
    if option.kind is Kind.JSON or text.lstrip().startswith(_OBJECT):
        found = _json(option, text)
        if isinstance(found, str) and found.lstrip().startswith(("{", "[")):
            remedy = "take the outer quotes and the backslashes out"
            raise Refused("is a JSON string with JSON in it", remedy)
        if _is_an_object(option) and not isinstance(found, dict) and found is not None:
            raise Refused("is not a JSON object", _instead(option))


def _is_an_object(option: Option) -> bool:
    """Whether it takes nothing else: a class of vLLM's is made of it, or its fields are known."""
    known = bool(option.keys) or EXAMPLES.get(option.flag, "").startswith("{")
    return "json_dataclass" in option.type or (option.kind is Kind.JSON and known)


def _check_type(option: Option, text: str) -> None:
    if option.auto_ok and text == "auto":
        return
    if option.human_int:
        if not (_is(int, text) or _HUMAN_INT.fullmatch(text)):
            auto = ", or auto" if option.auto_ok else ""
            raise Refused(f"is not a whole number (4096, 4k, 4K, 1M{auto})")
    elif option.type in {"int", "optional[int]"}:
        if not _is(int, text):
            raise Refused("is not a whole number")
    elif option.type in {"float", "optional[float]"} and not _is(float, text):
        raise Refused("is not a number")


def _check_choice(option: Option, text: str) -> None:
    accepted = [str(choice) for choice in option.choices]
    if accepted and text not in accepted:
        meant = remedy(option.flag, text, accepted)
        raise Refused(one_of(accepted, meant=meant), meant)


def _is(type_: type[int] | type[float], text: str) -> bool:
    try:
        type_(text)
    except ValueError:
        return False
    return True


def _json(option: Option, text: str) -> Any:
    try:
        return decoded(option, text)
    except ValueError as reason:
        raise Refused(f"is not JSON: {reason}", _instead(option)) from None


def _instead(option: Option) -> str:
    if option.kind is Kind.LIST:
        return "write it as a JSON list, or as words parted by commas"
    return f"write it as {option.env}={example(option)}"
