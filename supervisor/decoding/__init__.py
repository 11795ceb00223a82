"""What a user wrote: files of text, of a sane size; JSON, of a sane depth."""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

TEXT_MOST = 16 << 20  # bytes of a file that somebody wrote
_DEEPEST = 100  # of brackets within brackets; Python's own functions end at about 1,000
_OPENING = ("[", "{")


def json_of(text: str) -> Any:
    """The value of `text`.

    Raises:
        ValueError: it is not JSON, or brackets are nested too deeply in it.
    """
    return _parsed(text, None)


def with_repeated(text: str) -> tuple[Any, tuple[str, ...]]:
    """The value, and the keys that stand more than once in one object of it: the last one counts.

    Raises:
        ValueError: as `json_of`.
    """
    found: dict[str, None] = {}

    def taken(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counted = Counter(key for key, _ in pairs)
        found.update(dict.fromkeys(key for key, count in counted.items() if count > 1))
        return dict(pairs)

    return _parsed(text, taken), tuple(found)


def read_text(path: Path, most: int = TEXT_MOST) -> str:
    """The text of a file of at most `most` bytes; never of a pipe or a device, which may not end.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such file; the end of a sentence.
    """
    path.stat()  # raises its own error where nothing is there
    if why := unlike_text(path, most):
        raise ValueError(why)
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"is larger than {most >> 20} MiB")
    try:
        return content.decode()
    except UnicodeDecodeError as reason:
        line = content.count(b"\n", 0, reason.start) + 1
        raise ValueError(f"is not used: line {line} is no text in UTF-8") from None


def unlike_text(path: Path, most: int = TEXT_MOST) -> str:
    """Why what is there is no file of text: the end of a sentence, empty where it may be one.

    Nobody reads what is another thing: a pipe or a device may never end.
    """
    try:
        found = path.stat()
    except OSError:  # see `files.fault`
        return ""
    if stat.S_ISDIR(found.st_mode):
        return "is a folder, not a file"
    if not stat.S_ISREG(found.st_mode):
        return "is a pipe or a device, not a file"
    return f"is larger than {most >> 20} MiB" if found.st_size > most else ""


def _parsed(text: str, taken: Callable[[list[tuple[str, Any]]], Any] | None) -> Any:
    try:
        found = json.loads(text, object_pairs_hook=taken)
    except RecursionError:
        deep = True
    else:
        deep = sum(map(text.count, _OPENING)) > _DEEPEST and _is_deep(found)
    if deep:
        raise ValueError(f"brackets are nested more than {_DEEPEST} deep")
    return found


def _is_deep(found: Any) -> bool:
    """What is made of a value is made by functions that call themselves."""
    here = [found]
    for _ in range(_DEEPEST):
        here = [each for value in here for each in _within(value)]
    return bool(here)


def _within(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in inner if isinstance(each, dict | list)]
