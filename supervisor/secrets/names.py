"""Names that are secrets'. Pure."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_LAST = frozenset(
    "secret secrets password passwords passwd passphrase credential credentials authorization"
    " cookie cookies jwt".split()
)
_LATER = frozenset("pass pwd pat auth".split())  # a word of their own mean other things
_KEYS = frozenset(
    "api access secret private auth account encryption signing ssh shared master storage license"
    " subscription service deploy webhook client".split()
)
_HARMLESS = frozenset(  # special tokens, and keys that open nothing
    "eos bos pad unk sep cls mask stop start begin end image audio video special adapter output per"
    " public cache sort hash primary foreign partition routing group".split()
)
_IN_ONE = re.compile(
    rf"(?:{'|'.join(sorted(_KEYS))})keys?$|passw(?:or)?ds?$"
    r"|(?:auth|access|session|refresh|id|api|hf|hub|bot|csrf|xsrf|sas|user|bearer)token$"
)
OF_ADDRESSES = frozenset("key sig signature credential token awsaccesskeyid".split())


def is_secret(name: str) -> bool:
    """Whether the variable of this name is held to be a secret, whatever its value."""
    words = [word.lower() for word in _WORD.findall(name)]
    if words[-1:] == ["id"]:  # ACCESS_KEY_ID
        words.pop()
        if words[-1:] != ["key"]:
            return False
    last, before = (words or [""])[-1], (words or [""])[-2:-1]
    if last == "token":
        return not _HARMLESS.issuperset(before or "-")
    if last in {"key", "keys"}:
        return bool(before) and before[0] not in _HARMLESS and (last == "key" or before[0] in _KEYS)
    return (
        last in _LAST
        or "secret" in words[:-1]
        or (last in _LATER and bool(before))
        or bool(_IN_ONE.search(last))
        or (last == "headers" and "otlp" in words)  # api-key=...,x-tenant=...
    )
