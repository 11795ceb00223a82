"""Where in a body vLLM takes an address of media from. Pure.

Read from vLLM 0.28 to 0.33, all routes: parts of a chat's or a response's content (image_url,
audio_url, video_url, and input_image with an image_url), as a text or as an object with `url`, with
or without a `type`; Anthropic's `source`, also in results of tools; the parts of
/inference/v1/generate; the lists `images`, `audio` and `videos` of other routes; and `data` of
/pooling, which a plugin may read as an address. What stands in `mm_processor_kwargs` goes to the
model's own processor, which takes pictures as addresses and as paths, too; so does the tokenizer of
Mistral's models, with `url`, `path` and `base64` of a part.

Names are looked for at any depth and on every route, because an address is one wherever it stands,
and a route that does not know a name loses nothing. What only describes (tools, schemas, arguments
of a call) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proxy import excerpt

#: Their text is an address, whatever it looks like; in an object that is its `url`.
_ADDRESSES = frozenset({"image_url", "audio_url", "video_url", "file_url"})
#: Their text is an address where it begins as one; else base64, or a name.
_MAYBE = frozenset("image images audio audios video videos input_audio data base64".split())
#: Objects whose `url` is fetched, and whose `path` some tokenizers open: by the name under which
#: they stand, and by their own type. That of a citation, or of a page, is only told.
_HOLDERS = _ADDRESSES | _MAYBE | {"source"}
_TYPES = _ADDRESSES | _MAYBE | {"url", "file", "input_file", "input_image"}

_PROCESSOR = "mm_processor_kwargs"
_PICTURES = f"{_PROCESSOR}.images"  # a path is taken, too
_JUDGED = _ADDRESSES | _MAYBE | {_PROCESSOR, _PICTURES}

#: At the top of a body: what only describes.
_TOLD = frozenset("tools functions response_format structured_outputs guided_json metadata".split())

#: What is looked at in a list; a long one without these, as of tokens, is passed over at once.
_LOOKED_AT = frozenset((str, dict, list))
_LONG = 50
_IN_ONE_GO = 500  # entries: less than a millisecond, also where each is an address

#: A name or a number, and what it is in. Put together only to be shown: names can be long.
_Field = tuple[Any, str | int]

_SCHEME = re.compile(r"[\x00-\x20]*[A-Za-z][A-Za-z0-9+.-]*[\x00-\x20]*:")
_LONGEST_SCHEME = 100  # characters, blanks and all: what is longer begins no address


@dataclass(frozen=True, slots=True)
class Place:
    """A text from which the engine may fetch, and the field in which it stands."""

    field: str
    text: str


def named(body: Mapping[str, Any]) -> Iterator[Place | None]:
    """Every address in `body`, in no order; None where others may have their turn: it can be long.

    Args:
        body: no deeper than `sendable` lets through.
    """
    inner = {name: value for name, value in body.items() if name not in _TOLD}
    waiting: list[tuple[_Field | None, str, Any]] = [(None, "", inner)]
    looks = 0
    while waiting:
        field, name, value = waiting.pop()
        if type(value) is list and len(value) > _LONG and _LOOKED_AT.isdisjoint(map(type, value)):
            continue
        entries = value.items() if type(value) is dict else enumerate(value)
        for key, entry in entries:
            looks += 1
            if looks % _IN_ONE_GO == 0:
                yield None
            kind = type(entry)
            if kind is str:
                under = _standing(name, value, key)
                if under in _JUDGED and _is_address(under, entry):
                    yield Place(_written((field, key)), entry)
            elif (kind is dict or kind is list) and (field is None or not _is_told(value, key)):
                waiting.append(((field, key), _standing(name, value, key), entry))


def _written(field: _Field | None) -> str:
    parts: list[str] = []
    while field is not None:
        field, part = field
        parts.append(excerpt.text(str(part)))
    return excerpt.text(".".join(reversed(parts)))


def _standing(above: str, holder: Any, key: str | int) -> str:
    """The name under which an entry is judged; those of a list stand under the list's own."""
    if not isinstance(key, str):
        return above
    if above in (_PROCESSOR, _PICTURES):
        return _PICTURES if key in _MAYBE else above
    if key in ("url", "path") and (above in _HOLDERS or _is_of(_TYPES, holder.get("type"))):
        return "image_url"
    return key


def _is_address(name: str, text: str) -> bool:
    if name in _MAYBE:
        return bool(_SCHEME.match(text[:_LONGEST_SCHEME]))
    return "//" in text if name == _PROCESSOR else bool(text)


def _is_told(holder: Any, key: str | int) -> bool:
    """Whether it is what a tool was called with: an object of the caller's, told to the model."""
    return key == "arguments" or (key == "input" and bool(holder.get("type") == "tool_use"))


def _is_of(types: frozenset[str], given: Any) -> bool:
    return isinstance(given, str) and given in types
