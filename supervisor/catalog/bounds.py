"""Between what a number may lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..records import dataclass

_WORDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a number, each None where there is none; called as pydantic calls them."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def admit(self, number: float) -> bool:
        """Whether `number` lies between them; what is no number does not."""
        return (
            number == number
            and (self.ge is None or number >= self.ge)
            and (self.gt is None or number > self.gt)
            and (self.le is None or number <= self.le)
            and (self.lt is None or number < self.lt)
        )

    def __str__(self) -> str:
        """`more than 0 and at most 1`."""
        said = [(words, getattr(self, name)) for name, words in _WORDS.items()]
        return " and ".join(f"{words} {bound:g}" for words, bound in said if bound is not None)


ANY = Bounds()


def parse(record: Any) -> Bounds:
    """Bounds from a catalogue, which may say nothing of them or more than is known here.

    Raises:
        ValueError: a bound is no number.
    """
    if not isinstance(record, Mapping):
        return ANY
    found = {name: record[name] for name in _WORDS if record.get(name) is not None}
    if not all(isinstance(bound, int | float) for bound in found.values()):
        raise ValueError(f"bounds that are no numbers: {found}")
    return Bounds(**found)
