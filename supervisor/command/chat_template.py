"""A chat template given as text, handed over in the form that the engine understands. Pure.

vLLM takes a template as a file or as one line of text. A version whose parser does not say so may
take a file only, and one line is decoded with Python's `unicode_escape`, which spoils every letter
outside ASCII. In these two cases the text goes into a file, which every version reads as it is.

What every template is given, the proxy is told: some versions leave it out at `/tokenize`.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ..catalog import Catalog
from ..records import replace
from .arguments import Arguments
from .legacy import Origin, Rewritten

_FLAG = "--chat-template"
_DEFAULTS = "--default-chat-template-kwargs"
_JINJA = re.compile(r"\{[{%#]")
_ESCAPE = re.compile(r"\\(?:[\\'\"abfnrtv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")


def as_file(
    rewritten: Rewritten, catalog: Catalog, folder: str
) -> tuple[Rewritten, Mapping[str, str]]:
    """`rewritten` with a template that must be a file replaced by a path.

    Args:
        rewritten: the environment in the names that the catalogue has.
        catalog: what this version accepts.
        folder: for temporary files.

    Returns:
        The environment, and the files to write: path -> text.
    """
    option = catalog.option(_FLAG)
    text = rewritten.env.get(option.env, "") if option else ""
    if option is None or not _JINJA.search(text):
        return rewritten, {}
    if text.isascii() and "single-line" in option.help:
        return rewritten, {}
    import hashlib  # few have such a template, and every start would pay for the import

    content = _ESCAPE.sub(lambda match: codecs.decode(match[0], "unicode_escape"), text)
    name = hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest()[:12]
    path = str(PurePath(folder, "vllm-supervisor", f"chat-template-{name}.jinja"))
    origin = rewritten.origins.get(option.env, Origin((option.env,), "option"))
    note = "the template is written to this file at the start"
    return rewritten.saying(option.env, path, replace(origin, note=note)), {path: content}


def defaults(options: Arguments) -> str:
    """What every template is given, as the JSON of an object. Of a file nothing is known here.

    Args:
        options: the whole command line. `--flag.key VALUE` replaces what `--flag JSON` says.
    """
    told: Any = _value(options.value(_DEFAULTS) or "")
    by_key: dict[str, Any] = {}
    for argument in options.given:
        name, dot, path = argument.spelt.partition(".")
        if dot and name.replace("_", "-") == _DEFAULTS:
            *outer, key = path.split(".")
            place = by_key
            for each in outer:
                if not isinstance(place.get(each), dict):
                    place[each] = {}
                place = place[each]
            place[key] = _value(next(iter(argument.values), ""))
    found = by_key or told
    return json.dumps(found) if isinstance(found, dict) else "{}"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
