"""What is shown of secrets: the one masker, for every text that people or programs get to see.

A secret is told by the name before it (of a variable, a field, an option, a header, a part of an
address), by its own shape, or because a variable of this worker holds it. Pure.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote, unquote

from . import shapes
from .names import OF_ADDRESSES, is_secret

__all__ = [
    "MASK",
    "is_secret",
    "masked",
    "masked_line",
    "masked_tokens",
    "secret_values",
]

MASK = "***"

_PARTS = r"(?:^|,)[\w-]{1,40}=|,"  # between several keys, or headers for a collector
_SHORTEST = 8  # characters of a secret that is looked for in a text; shorter ones are in any word
_LONG = 40  # characters of a word that no language has
_NO_NAME = 20  # characters from which on a shape is a key in a path, too, where names stand
_NO_VALUE = {"", "none", "null", "true", "false", MASK, "[]", f"[{MASK}]"}


def masked(name: str, value: str, secrets: Iterable[str] = ()) -> str:
    """`value` as it may be shown in a log or an answer.

    Args:
        name: of the variable that holds it; empty for any other text.
        value: what is to be shown.
        secrets: what is masked wherever it stands (`secret_values`).
    """
    if name and is_secret(name):
        return MASK if value else ""
    for secret in secrets:
        value = value.replace(secret, MASK).replace(_quoted(secret), MASK)
    if not _has(shapes.HINTS, value):
        return value
    plain = re.sub(shapes.ESCAPE, "", value) if "\x1b" in value else value
    found = _shown(plain)
    if plain == value or found == plain:
        return value if found == plain else found
    # A name or a value may have a colour of its own: all go where the secret would stay otherwise.
    shown = _shown(value)
    return shown if re.sub(shapes.ESCAPE, "", shown) == found else found


def _has(hints: Iterable[str], value: str) -> bool:
    low = value.lower()
    return any(hint in low for hint in hints)


def _shown(value: str) -> str:
    """By the patterns that can match: the others cost nothing, and need not even be compiled."""
    if "-----BEGIN" in value:
        value = re.sub(shapes.BLOCK, MASK, value)
    if _has(shapes.PASSWORD_HINTS, value):
        value = re.sub(shapes.PASSWORD, _password, value)
    if _has(shapes.NAMED_HINTS, value):
        value = "".join(_named(value))
    if _has(shapes.PAIR_HINTS, value):
        value = re.sub(shapes.PAIR, _pair, value)
    if "</" in value:
        value = re.sub(shapes.ELEMENT, _element, value)
    if _has(shapes.SCHEME_HINTS, value):
        value = re.sub(shapes.SCHEME, _scheme, value)
    if "-" in value:
        value = _options(value)
    return re.sub(shapes.SHAPE, _shape, value) if _has(shapes.SHAPE_HINTS, value) else value


@functools.cache
def _quoted(secret: str) -> str:
    """As it stands in an address. Each line of a log asks for the same few."""
    return quote(secret, safe="")


def masked_tokens(tokens: Sequence[str]) -> list[str]:
    """A command line as it may be shown: also what the token before tells to be a secret."""
    shown: list[str] = []
    after = False
    for token in tokens:
        if token.startswith("-"):
            hint = "=" not in token and _has(shapes.HINTS, token)
            after = bool(hint and re.match(shapes.OPTION, f"{token} x"))
        is_value = after and token and not token.startswith("-") and not token.isdecimal()
        shown.append(MASK if is_value else masked("", token))
    return shown


def masked_line(line: bytes, secrets: Iterable[str]) -> bytes:
    """Lines of a log as they may be shown; bytes that are no text stay as they are."""
    text = line.decode("utf-8", "surrogateescape")
    shown = masked("", text, secrets)
    return line if shown == text else shown.encode("utf-8", "surrogateescape")


def secret_values(env: Mapping[str, str]) -> tuple[str, ...]:
    """The values of the variables that are held to be secrets, the longest first."""
    found = {value.strip() for name, value in env.items() if is_secret(name)}
    found |= {unquote(part).strip() for value in found for part in re.split(_PARTS, value)}
    return tuple(sorted((x for x in found if len(x) >= _SHORTEST), key=lambda x: (-len(x), x)))


def _named(text: str) -> Iterator[str]:
    """`text` in pieces, without the values behind names that are secrets'."""
    named = re.compile(shapes.NAMED)
    done = at = 0
    while found := named.search(text, at):
        at = found.end()
        start = _begin(text, found.start())
        name = text[start : found.start("end") if found["end"] else found.start("sign")].strip()
        asked = text[max(start - 3, 0) : start].upper()
        if asked.endswith(("?", "&", "%3F", "%26")):
            last = name.lower().replace("_", "-").rpartition("-")[2]
            is_one, pattern = is_secret(name) or last in OF_ADDRESSES, shapes.OF_ADDRESS
        else:
            is_one = is_secret(name)
            pattern = (
                shapes.OF_AUTHORIZATION if name.lower().endswith("authorization") else shapes.VALUE
            )
            if name.lower().endswith("cookie") and text[at : at + 1] not in {'"', "'"}:
                pattern = shapes.OF_COOKIE
        value = re.compile(pattern).match(text, at) if is_one else None
        if value and _is_value(text, start, found, name, value):
            opening = value.groupdict().get("quote") or text[at] * (text[at] in "\"'")
            yield text[done:at] + opening + MASK
            done = at = value.end()
    yield text[done:]


def _begin(text: str, at: int) -> int:
    """Where the name begins that has the place `at` in it; %22 is a quote before it."""
    start = at
    while start and at - start < 200 and (text[start - 1].isalnum() or text[start - 1] in "_.-"):
        start -= 1
    escaped = start and text[start - 1] == "%"
    return min(start + 2, at) if escaped else start


def _is_value(text: str, start: int, found: re.Match[str], name: str, value: re.Match[str]) -> bool:
    """Whether a secret stands there, and not the next word of a sentence (`bad token: it ends`)."""
    parts = value.groupdict()
    bare = parts.get("bare") if parts else value[0]
    inner = bare or parts.get("escaped") or parts.get("several") or value[0][1:]
    if inner.strip().lower() in _NO_VALUE:
        return False
    if value.re.pattern == shapes.OF_ADDRESS:
        return True
    if name.lower().endswith("token") and re.fullmatch(shapes.NO_TOKEN, inner):
        return False
    below = "\n" in found["gap"]
    if (not bare or found["end"] or found["sign"] != ":" or not found["gap"]) and not below:
        return True
    if _is_random(inner.rpartition(" ")[2]) or re.match(rf"(?i)(?:{shapes.SCHEMES}) ", inner):
        return True
    if not re.compile(r"[ \t,;})\]]*(?:\n|\Z)").match(text, value.end()):
        return False  # it does not stand alone
    while start and text[start - 1] in " \t":
        start -= 1
    before = text[start - 1] if start else "\n"
    return before == "\n" or before in ("-" if below else "{,(;\"'")


def _password(found: re.Match[str]) -> str:
    return "".join(filter(None, found.groups())) + MASK


def _pair(found: re.Match[str]) -> str:
    value = found["value"]
    if value.lower() in _NO_VALUE or re.fullmatch(shapes.WORD, value):
        return found[0]
    return found[1] + MASK if is_secret(found["name"]) else found[0]


def _element(found: re.Match[str]) -> str:
    value = found["value"]
    if value.lower() in _NO_VALUE or re.fullmatch(shapes.NO_TOKEN, value):
        return found[0]
    return found[1] + MASK if is_secret(found["name"]) else found[0]


def _scheme(found: re.Match[str]) -> str:
    return found[1] + MASK if _is_random(found[2]) else found[0]


def _options(text: str) -> str:
    """`text` without what follows an option; nothing of it is looked at for each of them anew."""
    begins = re.match(r"\s*-", text)
    serves = [found.end() for found in re.finditer(shapes.SERVE, text)]

    def shown(found: re.Match[str]) -> str:
        at = found.start()
        before = text[max(at - 1, 0) : at]
        if before.isalnum() or before in {"_", "-"}:
            return found[0]
        if found[1].endswith("=") or (begins and begins.end() <= at) or of_command(at):
            return found[1] + MASK
        return found[1] + MASK + found[3] if _is_random(found[2]) else found[0]

    def of_command(at: int) -> bool:
        while at and text[at - 1].isspace():
            at -= 1
        last = _until(serves, at) if serves else 0
        if not at or (last and text.find("\n", serves[last - 1], at) < 0):
            return True
        return bool(re.search(shapes.COMMAND, text[max(at - 16, 0) : at]))

    return re.sub(shapes.OPTION, shown, text)


def _until(ends: Sequence[int], at: int) -> int:
    from bisect import bisect  # for the few texts that hold a command; not before the spawn

    return bisect(ends, at)


def _shape(found: re.Match[str]) -> str:
    key, before = found[0], found.string[max(found.start() - 1, 0) : found.start()]
    if before.isalnum() or (before and before in "_-/" and len(key) < _NO_NAME):
        return key
    return MASK


def _is_random(word: str) -> bool:
    """Whether no language has such a word: letters with digits or capitals in them."""
    word = word.strip("\"'.,;:")
    return len(word) >= _SHORTEST and (
        len(word) > _LONG
        or (any(map(str.isdigit, word)) and any(map(str.isalpha, word)))
        or (word[1:] != word[1:].lower() and word != word.upper())
    )
