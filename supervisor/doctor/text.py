"""The lines of the report as a person reads them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .checks import Line, Verdict

_PAINT = {
    Verdict.GOOD: "\033[32m",
    Verdict.WARNING: "\033[33m",
    Verdict.BAD: "\033[31m",
    Verdict.UNKNOWN: "\033[33m",
}
_PLAIN = "\033[0m"


def report(lines: Sequence[Line], *, colour: bool = False) -> str:
    """A line for each: verdict, name, text, and the remedy where there is one."""
    width = max(len(line.name) for line in lines)
    return "".join(f"{_shown(line, width, colour=colour)}\n" for line in lines)


def _shown(line: Line, width: int, *, colour: bool) -> str:
    verdict = f"{line.verdict:<7}"
    if colour:
        verdict = f"{_PAINT[line.verdict]}{verdict}{_PLAIN}"
    remedy = f"; {line.remedy}" if line.remedy else ""
    return f"{verdict}  {line.name:<{width}}  {line.text}{remedy}"
