"""Checks a value by what the catalogue says of its option. Pure; a valid value stays as written."""

from __future__ import annotations

import json
import re
from typing import Any

from ..catalog import Kind, Option

# vLLM's human_readable_int: 1k = 1000, 1K = 1024; a fraction only with the decimal suffixes.
_HUMAN_INT = re.compile(r"\d+[KMGT]|\d+(\.\d+)?[kmgt]")


def check(option: Option, text: str) -> None:
    """Accept `text` as the value of `option`.

    Raises:
        ValueError: what is accepted, as the end of a sentence that begins with the name and value.
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
        ValueError: no such list, or an item of the wrong type.
    """
    stripped = text.strip()
    if stripped.startswith(("[", "{")):
        found = _json(stripped)
        found = found if isinstance(found, list) else [found]
        words = [item if isinstance(item, str) else _compact(item) for item in found]
    else:
        words = [word for word in re.split(r"[,\s]+", stripped) if word]
    if not words:
        raise ValueError("is an empty list; unset it instead")
    for word in words:
        if word.startswith("-") and not re.fullmatch(r"-\d+(\.\d+)?", word):
            raise ValueError(f"contains {word}, which the engine would read as an option")
        check(option, word)
    return words


def _check_json(option: Option, text: str) -> None:
    looks_like_json = text.lstrip().startswith(("{", "[", '"'))
    if option.kind is Kind.JSON or looks_like_json:
        found = _json(text)
        if "json_dataclass" in option.type and not isinstance(found, dict):
            raise ValueError("is not a JSON object")


def _check_type(option: Option, text: str) -> None:
    if option.auto_ok and text == "auto":
        return
    if option.human_int:
        if not (_is(int, text) or _HUMAN_INT.fullmatch(text)):
            auto = ", or auto" if option.auto_ok else ""
            raise ValueError(f"is not a whole number (4096, 4k, 4K, 1M{auto})")
    elif option.type in {"int", "optional[int]"}:
        if not _is(int, text):
            raise ValueError("is not a whole number")
    elif option.type in {"float", "optional[float]"} and not _is(float, text):
        raise ValueError("is not a number")


def _check_choice(option: Option, text: str) -> None:
    accepted = [str(choice) for choice in option.choices]
    if accepted and text not in accepted:
        raise ValueError(f"is not one of {', '.join(accepted)}")


def _is(type_: type[int] | type[float], text: str) -> bool:
    try:
        type_(text)
    except ValueError:
        return False
    return True


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as reason:
        raise ValueError(f"is not JSON: {reason}") from None


def _compact(item: Any) -> str:
    return json.dumps(item, separators=(",", ":"), ensure_ascii=False)
