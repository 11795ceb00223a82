"""Takes off the quotes that `docker --env-file` keeps as a part of a value. Pure.

A shell and Compose take them off, Docker and podman do not: SERVED_MODEL_NAME="my-model" would be
served with them. JSON has quotes of its own, and so have shell words; there they stay. What ends in
the quote with which it begins is no chat template that anybody wrote: that pair is around it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping

from ..decoding import json_of
from ..findings import Findings, Remark
from ..secrets import is_secret, masked
from . import table

_JINJA = re.compile(r"\{[{%#]")
_SHELL_WORDS = frozenset({table.VLLM_EXTRA_ARGS.name, table.VLLM_COMMAND.name})


def take_off(env: Mapping[str, str], names: Collection[str]) -> tuple[Mapping[str, str], Findings]:
    """`env` without such quotes, and a warning for each.

    Args:
        env: the variables that are set.
        names: those that mean something here; others are nobody's business.
    """
    within = {
        name: rest
        for name in sorted(env)
        if name in names and (rest := _within(name, env[name].strip())) is not None
    }
    if not within:
        return env, Findings()
    return {**env, **within}, Findings.of(*(_remark(*each) for each in within.items()))


def _remark(name: str, rest: str) -> Remark:
    if not rest:
        message = f"{name} is a pair of quotes, as `docker --env-file` keeps them: it is not set"
        return Remark(name, message, "unset it")
    message = f"{name} has quotes around its value, as `docker --env-file` keeps them: taken off"
    shown = "its value" if is_secret(name) else f"{name}={masked(name, rest)}"
    return Remark(name, message, f"write {shown} without them")


def _within(name: str, text: str) -> str | None:
    """What stands in the quotes; None where they are none, or belong to the value."""
    if len(text) < 2 or text[0] not in "\"'" or text[-1] != text[0]:
        return None
    rest = text[1:-1].strip()
    if not rest:
        return ""
    if name in _SHELL_WORDS:
        return _options_within(text, rest)
    if rest[0] in "{[":  # JSON, in one more pair of quotes
        if _is_json(rest):
            return rest
        if (meant := _unescaped(text)) is not None:
            return meant
    # With more of them inside they may be several pairs; a template has its own.
    return rest if text[0] not in rest or _JINJA.search(rest) else None


def _is_json(text: str) -> bool:
    try:
        json_of(text)
    except ValueError:
        return False
    return True


def _unescaped(text: str) -> str | None:
    r"""The JSON in a string of JSON: "{\"a\": 1}"."""
    try:
        found = json_of(text)
    except ValueError:
        return None
    return found if isinstance(found, str) and _is_json(found) else None


def _options_within(text: str, rest: str) -> str | None:
    r"""The options of which a shell would make one word: "--a b", "--a '{\"c\": 1}'"."""
    words = _split(text)
    if len(words) != 1 or not words[0].startswith("-") or not re.search(r"\s", words[0]):
        return None
    meant = words[0] if f"\\{text[0]}" in rest else rest
    return meant if _split(meant) else None


def _split(text: str) -> list[str]:
    """The words of a shell; none where a quote is open."""
    try:
        return shlex.split(text)
    except ValueError:
        return []
