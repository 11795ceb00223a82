"""Lines of a process that are counted instead of shown. Used by one thread."""

from __future__ import annotations

import re
from typing import Protocol

_COLOUR = re.compile(rb"\x1b\[[\d;]{0,20}m")


class Fold(Protocol):
    """Knows lines of one kind, counts them and sums them up."""

    def may(self, data: bytes) -> bool:
        """Whether a line of it can be in `data`; quick, for most of what comes has none."""

    def takes(self, line: bytes) -> bool:
        """Whether `line` is one that is counted, and not to be shown."""

    @property
    def left(self) -> float | None:
        """Seconds until there is something to tell; None where there is nothing."""

    def tell(self) -> None:
        """Sum up what was counted, if its time has come."""

    def tell_rest(self) -> None:
        """Sum up what was counted."""


class Folds:
    """Several of them, as one."""

    def __init__(self, *folds: Fold) -> None:
        self._folds = folds

    def may(self, data: bytes) -> bool:
        """See `Fold`."""
        return any(each.may(data) for each in self._folds)

    def takes(self, line: bytes) -> bool:
        """See `Fold`."""
        return any(each.takes(line) for each in self._folds)

    @property
    def left(self) -> float | None:
        """See `Fold`."""
        return min((each.left for each in self._folds if each.left is not None), default=None)

    def tell(self) -> None:
        """See `Fold`."""
        for each in self._folds:
            each.tell()

    def tell_rest(self) -> None:
        """See `Fold`."""
        for each in self._folds:
            each.tell_rest()


def without_colours(line: bytes) -> bytes:
    """A line as it would be where no terminal reads it."""
    return _COLOUR.sub(b"", line) if b"\x1b" in line else line
