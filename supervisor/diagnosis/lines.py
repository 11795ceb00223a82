"""What a line of an engine's output is: its prefix, its level, and whether it tells of an error.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

#: Characters of a line that are read; vLLM's longest sentences end before.
MOST = 1000
#: What stands before a message: processes in brackets, then level, time and place in the source.
_PREFIX = re.compile(
    r"(?:[\(\[][A-Za-z][^)\]\n]{0,60}[)\]]:? ?){0,4}"
    r"(?:(?:ERROR|CRITICAL)[ :]{1,6}[\d-]{5,10} [\d:.,]{8,15} (?:\[?[\w./-]{1,80}:\d{1,6}\] ?)?)?"
)
#: The whole prefix of a line of vLLM's own logger. The process stands in it from 0.10 on.
_LOGGED = re.compile(
    r"(?:\((?P<process>[\w.-]{1,60}) pid=\d{1,10}\) )?"
    r"(?P<level>[A-Z]{4,8}) \d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d{1,6})? "
    r"\[?(?P<place>(?:[\w.-]{1,40}/){0,6}(?P<file>[\w.-]{1,60}):\d{1,6})\] ?"
)
#: vLLM 0.10.2 colours the name of a process, also where no terminal reads it.
_COLOUR = re.compile(r"\x1b\[[\d;]{0,20}m")
#: Lines that are no error, whatever words they hold: some repeat what a user asked.
_HARMLESS = re.compile(
    r"(?:INFO|WARNING|DEBUG)\b|[^\n]{0,300}?\b\w{0,40}Warning: |Route: |\[?[IW]\d{4} "
)
#: An engine that says one of these has been ready: no cause of a failed start counts any more.
WAS_READY = re.compile(r"INFO:\s{1,9}Application startup complete|INFO [^']{0,80} throughput: ")


@dataclass(frozen=True, slots=True)
class Logged:
    """A line of vLLM's own logger: `prefix` is the same in all lines of one message.

    `place` is where in vLLM's source it is logged, as far as it is told: `v1/engine/core.py:95`.
    """

    prefix: str
    process: str
    level: str
    place: str
    file: str
    message: str


def plain(line: str, most: int = MOST) -> str:
    """The beginning of a line, `most` characters of it, without colours."""
    return _COLOUR.sub("", line[:most]) if "\x1b" in line else line[:most]


def logged(line: str) -> Logged | None:
    """`line` as one of vLLM's logger; None if it is another one."""
    found = _LOGGED.match(line)
    if found is None:
        return None
    process = found["process"] or ""
    level, place, file = found["level"], found["place"], found["file"]
    return Logged(found[0], process, level, place, file, line[found.end() :])


def without_prefix(line: str) -> str:
    """The message of a line that may tell of an error."""
    found = _PREFIX.match(line)
    return line[found.end() :] if found else line


def of_errors(lines: Sequence[str]) -> tuple[str, bool]:
    """The lines that may tell of an error, without their prefixes; whether it had been ready."""
    kept: list[str] = []
    ready = False
    for whole in lines:
        line = without_prefix(plain(whole))
        if WAS_READY.match(line):
            ready = True
        elif not _HARMLESS.match(line):
            kept.append(line)
    return "\n".join(kept), ready
