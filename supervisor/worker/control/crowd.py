"""The connections of the control port; of too many, the one that has been idle longest goes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol


class Member(Protocol):
    """A connection; see `connection.Connection`."""

    def drop(self) -> None:
        """Close it at once, whatever it is doing. It leaves the crowd by itself."""


class Crowd:
    """At most `most` connections: a new one takes the place of another."""

    def __init__(self, most: int) -> None:
        self._most = most
        #: Each in the order in which it became so.
        self._idle: OrderedDict[Member, None] = OrderedDict()
        self._busy: OrderedDict[Member, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy)

    def rests(self, one: Member) -> None:
        """It is new, or has been answered: nobody waits for its answer."""
        if one not in self._idle and one not in self._busy and len(self) >= self._most:
            self.drop_one()
        self.leaves(one)
        self._idle[one] = None

    def works(self, one: Member) -> None:
        """It waits for its answer."""
        self.leaves(one)
        self._busy[one] = None

    def leaves(self, one: Member) -> None:
        """It is closed."""
        self._idle.pop(one, None)
        self._busy.pop(one, None)

    def drop_one(self) -> bool:
        """Drop the one that has been idle longest or, where none is, has waited longest.

        Returns:
            Whether there was one.
        """
        for some in (self._idle, self._busy):
            if some:
                some.popitem(last=False)[0].drop()
                return True
        return False

    @property
    def busy(self) -> bool:
        """Whether one waits for its answer."""
        return bool(self._busy)

    def drop_all(self) -> None:
        """Drop every one."""
        while self.drop_one():
            pass
