"""Which repository or folder an error is about: the model, its tokenizer or its draft. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ..decoding import json_of
from ..settings.table import MODEL_NAME
from .known import is_configured
from .variables import of_option

_TOKENIZER = ("--tokenizer", "the tokenizer", "TOKENIZER_NAME")
_DRAFT = ("--speculative-config", "the draft model", "SPECULATIVE_CONFIG")
#: Places in a traceback of vLLM's or of transformers', and whose files are read there.
_PLACES: Mapping[str, tuple[str, str, str]] = {
    "get_tokenizer": _TOKENIZER,
    "/vllm/tokenizers/": _TOKENIZER,
    "/transformers_utils/tokenizer": _TOKENIZER,
    "self.tokenizer = get_model_path": _TOKENIZER,
    "/config/speculative.py": _DRAFT,
}
_ANY = f"{MODEL_NAME.name}, {_TOKENIZER[2]} and {_DRAFT[2]}"
_NEAR = 8000  # characters before an error in which its traceback stands


@dataclass(frozen=True, slots=True)
class Subject:
    """`words` are it in a sentence, `variables` what may name it."""

    words: str
    variables: str


def of(what: str, before: str, model: str | None, configured: Sequence[str]) -> Subject:
    """What an error is about.

    Args:
        what: the name that the engine gave with it; may be empty. One that the configuration does
            not have is not repeated.
        before: the engine's lines before the error.
        model: the model as it was named.
        configured: the engine's arguments.
    """
    others = [
        (name, words, variable)
        for flag, words, variable in (_TOKENIZER, _DRAFT)
        if (name := _name(flag, configured)) and name != model
    ]
    for name, words, variable in others:
        if name == what:
            return Subject(f"{words} {name}", variable)
    if what and what != model and (flags := _flags_with(what, configured)):
        return Subject(what, " or ".join(map(of_option, flags)))
    if what and what != model:
        named = is_configured(what, configured)
        return Subject(f"the model {what}" if named else "a model that is configured", _ANY)
    near = before[-_NEAR:]
    at = {place: near.rfind(place) for place in _PLACES}
    last = max(at, key=lambda place: at[place])
    for name, words, variable in others if not what and at[last] >= 0 else ():
        if variable == _PLACES[last][2]:
            return Subject(f"{words} {name}", variable)
    return Subject(f"the model {model or 'without a name'}", MODEL_NAME.name)


def _flags_with(value: str, configured: Sequence[str]) -> list[str]:
    """The options that have this value."""
    return [flag for flag, given in _pairs(configured) if given == value and flag[:2] == "--"]


def _pairs(configured: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each argument with its value, in either of its forms."""
    for argument, following in zip_longest(configured, configured[1:], fillvalue=""):
        name, equals, value = argument.partition("=")
        yield name, value if equals else following


def _name(flag: str, configured: Sequence[str]) -> str | None:
    """What the command line says for it."""
    found = next((value for name, value in _pairs(configured) if name == flag), None)
    if found is None or flag != _DRAFT[0]:
        return found
    try:
        return str(json_of(found)["model"])
    except (ValueError, LookupError, TypeError):
        return None
