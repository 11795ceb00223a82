"""Which variables hold secrets, and how their values are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MASK = "***"

_SECRET_NAME = re.compile(
    r"(^|_)(TOKEN|API_?KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS?|ACCESS_KEY(_ID)?|PRIVATE_KEY)$"
    r"|(^|_)AI_API_KEY$|_SECRET_"
)
_SECRET_VALUE = re.compile(
    r"\b(hf_[A-Za-z0-9]{8,}|sk-[A-Za-z0-9_-]{8,}|rpa_[A-Za-z0-9]{8,}|gh[opsu]_[A-Za-z0-9]{8,}"
    r"|github_pat_\w{8,}|glpat-[\w-]{8,}|AKIA[A-Z0-9]{8,}|eyJ[\w-]{8,}\.[\w.-]+)"
)
#: A field of a JSON object that is named like a secret, and a password in a URL.
_SECRET_FIELD = re.compile(
    r"(\"[^\"]*(?:token|secret|password|passwd|api_?key|access_key)[^\"]*\"\s*:\s*)"
    r"\"(?:[^\"\\]|\\.)*\"",
    re.IGNORECASE,
)
#: An option that is named like a secret, and the values after it; not the counts and files that
#: only resemble one (--max-num-batched-tokens, --tokenizer, --ssl-keyfile).
_SECRET_OPTION = re.compile(
    r"((?<![\w-])--?(?=[\w.-]*(?:key(?!file)|token(?!iz)|password|passwd|secret))[\w.-]{1,100}"
    r"(?:=|[ ]))(?!\d+(?:\s|$))[^\s-]\S*(?: (?!-)\S+)*",
    re.IGNORECASE,
)
_SHORTEST = 8  # characters of a secret that is looked for in a text; shorter ones are in any word
_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)")


def is_secret(name: str) -> bool:
    """Whether the variable of this name is held to be a secret, whatever its value."""
    return bool(_SECRET_NAME.search(name.upper()))


def masked(name: str, value: str) -> str:
    """`value` as it may be shown in a log or an answer."""
    if is_secret(name):
        return MASK if value else ""
    value = _SECRET_FIELD.sub(rf'\1"{MASK}"', value)
    value = _PASSWORD.sub(rf"\1{MASK}", value)
    return _SECRET_VALUE.sub(MASK, value)


def secret_values(env: Mapping[str, str]) -> tuple[str, ...]:
    """The values of the variables that are held to be secrets, the longest first."""
    found = {value.strip() for name, value in env.items() if is_secret(name)}
    return tuple(sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True))


def masked_command(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` in which a command line may stand, without `secrets` and what follows an option that
    is named like a secret.
    """
    for secret in secrets:
        text = text.replace(secret, MASK)
    return masked("", _SECRET_OPTION.sub(rf"\1{MASK}", text))
