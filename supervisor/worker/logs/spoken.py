"""What an engine's lines say, parted into level, process, place and message. Pure.

What a caller makes an engine print has no part in that: of an engine whose logger signs its lines
(`diagnosis.voice`) only those are parted, once somebody can have sent it something. The others are
a message and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...diagnosis.lines import WAS_READY, Logged, logged, plain, without_prefix

_LONGEST = 10**9  # colours are taken out of a whole line
_PROCESS = re.compile(r"\((?P<process>[\w.-]{1,60}) pid=\d{1,10}\) ?")
#: uvicorn's own form, and that of programs like it.
_OTHERS = re.compile(
    rf"(?:{_PROCESS.pattern})?(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL):\s{{1,9}}(?=\S)"
)
_READY = ("Application startup complete", " throughput: ")


@dataclass(frozen=True, slots=True)
class Said:
    """One line: `prefix` is the same in all lines of one message.

    From `begins` on the message is what one process printed. What stands there before names that
    process, but anybody may have written it.
    """

    message: str
    level: str = "INFO"
    process: str = ""
    place: str = ""
    prefix: str = ""
    trusted: bool = True  # nobody else than the engine can have written it
    begins: int = 0

    @property
    def text(self) -> str:
        """What one process printed, without its name."""
        return self.message[self.begins :]

    @property
    def speaker(self) -> tuple[str, str, bool]:
        """Lines that belong together have the same."""
        return self.process, self.message[: self.begins], self.trusted


class Spoken:
    """Reads the lines of one engine, one after the other.

    Args:
        signature: what its logger puts before each line; empty for one that cannot.
    """

    def __init__(self, signature: str = "") -> None:
        self._signature = signature
        self._signed = False
        self._served = False

    def read(self, line: str) -> Iterator[Said]:
        """What `line` says: two things, where something without an end stood before it."""
        line = plain(line, _LONGEST)
        before, found, after = line.partition(self._signature or "\n")  # no line has that
        if not self._served and any(sign in line for sign in _READY):
            self._served = bool(WAS_READY.match(without_prefix(before + after)))
        if not found:
            yield self._unsigned(line)
            return
        self._signed = True
        if before and not _PROCESS.fullmatch(before):
            yield self._unsigned(before)
            before = ""
        own = logged(before + after)
        yield Said(before + after) if own is None else _of(own)

    def _unsigned(self, line: str) -> Said:
        line = line.rpartition("\r")[2]  # what a terminal would show
        process = _PROCESS.match(line)  # vLLM puts it before all that its processes print
        begins = process.end() if process else 0
        if self._signed and self._served:
            return Said(line, trusted=False, begins=begins)
        own = None if self._signed else logged(line)
        if own is not None:
            return _of(own)
        found = _OTHERS.match(line)
        if found is None:
            return Said(line[begins:], process=process["process"] if process else "")
        return Said(line[found.end() :], found["level"], found["process"] or "")


def _of(own: Logged) -> Said:
    return Said(own.message, own.level, own.process, own.place, own.prefix)
