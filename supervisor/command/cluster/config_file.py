"""The options that a configuration file of vLLM sets, near enough to be compared. Pure.

The worker's environment has no reader of YAML; vLLM's own takes keys at the file's top, and nothing
of ours depends on more than whether two files say the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...catalog import Catalog
from ..arguments import Arguments, parse

_KEY = re.compile(r"""["']?([A-Za-z][\w-]*)["']?[ \t]*:(?:[ \t]+(.*))?""")
_QUOTED = re.compile(r"""(?<![^\[{,:\s])(?:"(?:[^"\\]|\\.)*+"?|'(?:[^']|'')*+'?)""")
_DEEPER = {"{": 1, "[": 1, "}": -1, "]": -1}
_SWITCHES = {
    **dict.fromkeys(("true", "yes", "on"), "--{}"),
    **dict.fromkeys(("false", "no", "off"), "--no-{}"),
}


def options(text: str) -> Mapping[str, str]:
    """What a file sets, as `max-model-len` -> `4096`; switches have the value `--enforce-eager`.

    Args:
        text: of the file. A value over several lines keeps them, without what indents them.
    """
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    depth = 0  # in brackets, where indentation means nothing
    for written in text.splitlines():
        line = _without_remark(written)
        if not line:
            continue
        if depth <= 0 and (match := _KEY.fullmatch(line)):
            lines = found[match[1].replace("_", "-")] = []
            line, depth = match[2] or "", 0
        elif depth <= 0 and not line[:1].isspace() and not line.startswith("-"):
            lines = []  # nothing of a value's
        line = " ".join(line.split())
        if depth > 0 or (line.startswith(("{", "[")) and not any(lines)):
            depth += sum(_DEEPER.get(char, 0) for char in _QUOTED.sub("", line))
        lines.append(line)
    return {key: _value(key, "\n".join(filter(None, lines))) for key, lines in found.items()}


def arguments(text: str, catalog: Catalog) -> Arguments:
    """The same as vLLM puts it on its command line, in front of what stands there.

    Args:
        text: of the file.
        catalog: what the engine accepts.
    """
    set_there = options(text).items()
    switches = {template.format(key) for key, _ in set_there for template in _SWITCHES.values()}
    return parse(
        [value if value in switches else f"--{key}={value}" for key, value in set_there], catalog
    )


def _value(key: str, written: str) -> str:
    if len(written) > 1 and written[0] == written[-1] and written[0] in "\"'":
        return written[1:-1]
    switch = _SWITCHES.get(written.lower())
    return written if switch is None else switch.format(key)


def _without_remark(line: str) -> str:
    """`line` up to a remark: `it's a # b` has one, `'a # b'` and `{"a": "b # c"}` have none."""
    if "#" not in line:
        return line.rstrip()
    quote, begins, escaped = "", True, False
    found = None  # a remark, if the quote is none because nothing ends it here
    for at, char in enumerate(line):
        remark = char == "#" and (not at or line[at - 1].isspace())
        if quote:
            if remark and found is None:
                found = at
            if char == quote and not escaped:
                quote, found = "", None
            escaped = char == "\\" and quote == '"' and not escaped
        elif remark:
            return line[:at].rstrip()
        elif begins and char in "\"'":
            quote = char
        elif not char.isspace():
            begins = char in "[{,:-"  # a scalar may follow
    return line[:found].rstrip()
