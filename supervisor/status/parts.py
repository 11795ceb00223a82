"""The parts of a start, and how they are shown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..records import dataclass, field

#: Columns from the beginning of a start to its end. A line of the log then has 80: the 50 in front
#: are a time, a level, `supervisor:` and `start:`.
_IN_LOG = 12
_NAME = 8


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a start.

    Attributes:
        name: such as "imports"; one that was interrupted comes several times.
        begin: seconds from the beginning of the start.
        seconds: for how long.
    """

    name: str
    begin: float
    seconds: float

    @property
    def end(self) -> float:
        """Seconds from the beginning of the start."""
        return self.begin + self.seconds

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Part:
        """One of `start` in the body of `/status`.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        return cls(str(body["name"]), float(body["begin"]), float(body["seconds"]))


@dataclass(frozen=True, slots=True)
class Times:
    """How long a start took that is over.

    Attributes:
        phases: seconds of each of the parts that follow each other, and of all as `engine_start`.
        parts: when each began; also those that ran beside them.
    """

    phases: Mapping[str, float] = field(default_factory=dict)
    parts: Sequence[Part] = ()

    def chart(self, columns: int = _IN_LOG) -> list[str]:
        """The parts by when they began, and how long all took; 18 columns and the bars.

        The bars of those that ran beside the phases look different.

        Args:
            columns: of a bar for all of the start.
        """
        found = sorted(self.parts, key=lambda part: part.begin)
        whole = max((part.end for part in found), default=0.0)
        lines = []
        for name in dict.fromkeys(part.name for part in found):
            own = [part for part in found if part.name == name]
            bar = _bar(own, whole, "#" if name in self.phases else "=", columns)
            lines.append(_line(name, sum(part.seconds for part in own), bar))
        return [*lines, _line("in all", whole, "")]

    def rounded(self) -> Times:
        """To milliseconds."""
        parts = [Part(one.name, round(one.begin, 3), round(one.seconds, 3)) for one in self.parts]
        return Times({name: round(seconds, 3) for name, seconds in self.phases.items()}, parts)

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Times:
        """Of the body of `/status`; a worker of an older version says nothing of the parts.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: it is no such body.
        """
        phases = {str(name): float(seconds) for name, seconds in body["phases"].items()}
        return cls(phases, [Part.read(part) for part in body.get("start") or ()])


def _line(name: str, seconds: float, bar: str) -> str:
    return f"{name[:_NAME]:<{_NAME}}{seconds:7.1f} s {bar}".rstrip()


def _bar(parts: Iterable[Part], whole: float, mark: str, columns: int) -> str:
    """Where in the start it ran; what is too short for a column is a dot."""
    bar = [" "] * columns
    for part in parts:
        if whole <= 0:
            continue
        begin, end = (round(at / whole * columns) for at in (part.begin, part.end))
        if begin < end:
            bar[begin:end] = mark * (end - begin)
        elif bar[min(begin, columns - 1)] == " ":
            bar[min(begin, columns - 1)] = "."
    return "".join(bar)
