"""A chat template given as text, handed over in the form that the engine understands. Pure.

vLLM takes a template as a file or as one line of text. A version whose parser does not say so may
take a file only, and one line is decoded with Python's `unicode_escape`, which spoils every letter
outside ASCII. In these two cases the text goes into a file, which every version reads as it is.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from pathlib import PurePath

from ..catalog import Catalog
from ..records import replace
from .legacy import Origin, Rewritten

_FLAG = "--chat-template"
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
