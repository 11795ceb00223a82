"""Which variables hold secrets, and how their values are shown."""

from __future__ import annotations

import re

MASK = "***"

_SECRET_NAME = re.compile(
    r"(^|_)(TOKEN|API_?KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS?|ACCESS_KEY(_ID)?|PRIVATE_KEY)$"
    r"|(^|_)AI_API_KEY$|_SECRET_"
)
_SECRET_VALUE = re.compile(r"\b(hf_[A-Za-z0-9]{8,}|sk-[A-Za-z0-9_-]{8,}|rpa_[A-Za-z0-9]{8,})")


def is_secret(name: str) -> bool:
    """Whether the variable of this name is held to be a secret, whatever its value."""
    return bool(_SECRET_NAME.search(name.upper()))


def masked(name: str, value: str) -> str:
    """`value` as it may be shown in a log or an answer."""
    if is_secret(name):
        return MASK if value else ""
    return _SECRET_VALUE.sub(MASK, value)
