"""What is shown of secrets: the one masker, for every text that people or programs get to see.

A secret is told by the name before it (of a variable, a field, an option, a header, a part of an
address), by its own shape, or because a variable of this worker holds it. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

MASK = "***"

_SHORTEST = 8  # characters of a secret that is looked for in a text; shorter ones are in any word
_LONG = 40  # characters of a word that no language has
_NO_NAME = 20  # characters from which on a shape is a key in a path, too, where names stand
_SHOWN = {"", "none", "null", "true", "false", MASK, "[]", f"[{MASK}]"}  # values that are none

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
_OF_ADDRESSES = frozenset("key sig signature credential token awsaccesskeyid".split())


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
    )


#: `re` compiles a pattern when a text first needs it: every start would wait for them all.
_QUOTE = r"""(?:\\{0,8}["']|%22|%27)"""
#: The end of a name, and what parts it from its value. Which names count, `is_secret` says.
_NAMED = (
    r"(?i)(?:key|token|secret|passw|passphrase|pass|pwd|pat|auth|cred|cookie|jwt|sig)[\w-]{0,40}"
    rf"(?P<end>{_QUOTE})?\s{{0,8}}(?P<sign>=>?|:|%3D|%3A)(?P<gap>[ \t]{{0,8}}|%20)"
)
_OF_ADDRESS = r"(?:(?!%26|%23)[^&\s\"'<>#])+"
_OF_COOKIE = r"[^\n\"']+"
#: A value that is quoted in any way, without the quote at its end, several, or one that is bare.
_ITEM = r"""\\.|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"""
_SCHEMES = "bearer|basic|digest|token|apikey"
_VALUE = (
    r"(?i)(?P<quote>\\{1,8}[\"']|%22|%27)(?P<escaped>.{0,4000}?)(?=(?P=quote)|$)"
    r"|(?P<double>\"(?:[^\"\\]|\\.)*)|(?P<single>'(?:[^'\\]|\\.)*)"
    rf"|(?P<several>\[(?:{_ITEM}|[^\]\"'\\])*\]?|\((?=[\"'])(?:{_ITEM}|[^)\"'\\])*\)?)"
    rf"|(?P<bare>(?:(?:{_SCHEMES})(?:[ ]+|%20|\+))?"
    r"(?:(?!%2[2367C]|%7D|%20|[,;](?:\s|$|[\w.-]{1,60}=))[^\s&\"'}\])])+)"
)
_OF_AUTHORIZATION = _VALUE.replace(_SCHEMES, r"[a-z][\w-]{0,30}")  # any word, before the key
#: A count, or what a model writes: <think>, <|eot_id|>, [INST].
_NO_TOKEN = r"\d{1,7}|<[|/]?[\w .:-]{1,40}\|?>|\[/?[A-Z_]{1,20}\]"
#: The password in an address, which may hold a slash where no port is meant; a key without a user;
#: addresses that are a secret as a whole.
_PASSWORD = (
    r"(?i)(://[^/\s:@\"'<>]{0,200}:)(?:[^/\s\"'<>]{1,400}|(?!\d{1,5}/)[^\s\"'<>@]{1,200})(?=@)"
    r"|(://)[^/\s:@\"'<>]{16,200}(?=@)"
    r"|(%3A%2F%2F(?:(?!%3A|%2F|%40)[^\s\"'&]){0,200}%3A)(?:(?!%40|%2F)[^\s\"'&]){1,200}(?=%40)"
    r"|(hooks\.slack\.com/\w{1,20}/|/api/webhooks/\d{1,30}/)[\w/-]+"
)
_BLOCK = r"(?s)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-{5}.*?(?:-----END [A-Z0-9 ]{0,40}KEY-{5}|\Z)"
_SCHEME = r"(?i)((?:bearer|basic)(?:\s{1,8}|%20|\+))([\w.~+/=-]{8,})"
#: An option that is named like a secret, however it is misspelt, and what follows it; not counts
#: and files that only resemble one (--max-num-batched-tokens, --tokenizer, --ssl-keyfile), nor the
#: words of a sentence about it.
_OPTION = (
    r"(?i)(--?(?=[\w.-]{0,100}?(?:(?:(?<![a-z])|api|access|auth|private|secret)"
    r"key(?!file|word|board|-?value)|(?<![a-z])token(?!i[sz]|s(?![a-z])|-ids|-threshold)|passw"
    r"|passphrase|secret|(?<!allow[_-])credential|authorization|cookie))[\w.-]{1,100}(?:=| {1,8}))"
    r"(?!\d+[km]?(?:\s|$)|\*|(?:in|is|are|has|have|takes?|needs?|was|goes|and|or|of|to|as|with|must"
    r"|cannot|can|expects?|wants?|stands?|does|not|for|from|at|on|by)\b)([^\s-]\S*)((?: (?!-)\S+)*)"
)
#: What makes of the text behind it a command line.
_COMMAND = r"(?i)(?:^|\barguments?:|\bserve\b.*|\bcommand:|args=['\"]?)\s*$"
_SHAPE = (
    r"(?:hf_(?!transformers)[A-Za-z0-9]{12,}|sk-(?=[\w-]*\d)[\w-]{8,}|(?:rpa|npm|gsk)_[A-Za-z0-9]{8,}"
    r"|gh[opsur]_[A-Za-z0-9]{8,}|github_pat_\w{8,}|glpat-[\w-]{8,}|A[KS]IA[A-Z0-9]{12,}"
    r"|AIza[\w-]{30,}|xox[abeoprs]-[\w-]{10,}|nvapi-[\w-]{20,}|[sr]k_live_\w{8,}"
    r"|eyJ[\w-]{8,}\.[\w.-]+)"
)
#: Nothing is hidden in a text without one of these: most are without, and each pattern costs.
_HINT = re.compile(
    r"key|token|secret|passw|passphr|[_-](?:pass|pwd|pat)\b|auth|cred|cookie|jwt|sig|bearer|basic"
    r"|://|%3a|hf_|sk-|rpa_|npm_|gsk_|gh\w_|github_|glpat|A[KS]IA|AIza|xox|nvapi|k_live|eyJ|hook",
    re.IGNORECASE,
)


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
        value = value.replace(secret, MASK).replace(quote(secret, safe=""), MASK)
    if not _HINT.search(value):
        return value
    value = re.sub(_BLOCK, MASK, value)
    value = re.sub(_PASSWORD, lambda found: "".join(filter(None, found.groups())) + MASK, value)
    value = "".join(_named(value))
    value = re.sub(_SCHEME, _scheme, value)
    value = re.sub(_OPTION, _option, value)
    return re.sub(_SHAPE, _shape, value)


def masked_tokens(tokens: Sequence[str]) -> list[str]:
    """A command line as it may be shown: also what the token before tells to be a secret."""
    shown: list[str] = []
    after = False
    for token in tokens:
        if token.startswith("-"):
            hint = "=" not in token and _HINT.search(token)
            after = bool(hint and re.match(_OPTION, f"{token} x"))
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
    found |= {part.strip() for value in found if "," in value for part in value.split(",")}
    return tuple(sorted((x for x in found if len(x) >= _SHORTEST), key=lambda x: (-len(x), x)))


def _named(text: str) -> Iterator[str]:
    """`text` in pieces, without the values behind names that are secrets'."""
    named = re.compile(_NAMED)
    done = at = 0
    while found := named.search(text, at):
        at = found.end()
        start = _begin(text, found.start())
        name = text[start : found.start("end") if found["end"] else found.start("sign")].strip()
        asked = text[max(start - 3, 0) : start].upper()
        if asked.endswith(("?", "&", "%3F", "%26")):
            last = name.lower().replace("_", "-").rpartition("-")[2]
            is_one, pattern = is_secret(name) or last in _OF_ADDRESSES, _OF_ADDRESS
        else:
            is_one = is_secret(name)
            pattern = _OF_AUTHORIZATION if name.lower().endswith("authorization") else _VALUE
            if name.lower().endswith("cookie") and text[at : at + 1] not in {'"', "'"}:
                pattern = _OF_COOKIE
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
    if inner.strip().lower() in _SHOWN:
        return False
    if value.re.pattern == _OF_ADDRESS:
        return True
    if name.lower().endswith("token") and re.fullmatch(_NO_TOKEN, inner):
        return False
    if not bare or found["end"] or found["sign"] != ":" or not found["gap"]:
        return True
    if _is_random(inner.rpartition(" ")[2]) or re.match(rf"(?i)(?:{_SCHEMES}) ", inner):
        return True
    alone = not text[value.end() :].split("\n", 1)[0].strip(" \t,;})]")
    line = text[text.rfind("\n", 0, start) + 1 : start].rstrip(" \t")
    return alone and (not line or line[-1] in "{,(;\"'")


def _scheme(found: re.Match[str]) -> str:
    return found[1] + MASK if _is_random(found[2]) else found[0]


def _option(found: re.Match[str]) -> str:
    before = found.string[: found.start()]
    if before.endswith(("_", "-")) or before[-1:].isalnum():
        return found[0]
    if found[1].endswith("=") or before.lstrip().startswith("-") or re.search(_COMMAND, before):
        return found[1] + MASK
    return found[1] + MASK + found[3] if _is_random(found[2]) else found[0]


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
