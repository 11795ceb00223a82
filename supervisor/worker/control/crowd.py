"""The connections of the control port; of too many, the one that has been idle longest goes.

Those that look on, told again and again what is new, are few, so that they cost little.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol


class Member(Protocol):
    """A connection; see `connection.Connection`."""

    def drop(self) -> None:
        """Close it at once, whatever it is doing. It leaves the crowd by itself."""

    def conclude(self) -> None:
        """It looks on: tell it the last, and close it."""


class Crowd:
    """At most `most` connections: a new one takes the place of another.

    Args:
        most: connections.
        lookers: of them may look on at a time.
    """

    def __init__(self, most: int, lookers: int = 16) -> None:
        self._most = most
        self._lookers = lookers
        #: Each in the order in which it became so.
        self._idle: OrderedDict[Member, None] = OrderedDict()
        self._busy: OrderedDict[Member, None] = OrderedDict()
        self._looking: OrderedDict[Member, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy) + len(self._looking)

    def rests(self, one: Member) -> None:
        """It is new, or has been answered: nobody waits for its answer."""
        is_new = not any(one in some for some in self._all)
        if is_new and len(self) >= self._most:
            self.drop_one()
        self.leaves(one)
        self._idle[one] = None

    def works(self, one: Member) -> None:
        """It waits for its answer."""
        self.leaves(one)
        self._busy[one] = None

    def looks_on(self, one: Member) -> bool:
        """It is told what is new from now on; False: enough others are already."""
        if len(self._looking) >= self._lookers:
            return False
        self.leaves(one)
        self._looking[one] = None
        return True

    def leaves(self, one: Member) -> None:
        """It is closed."""
        for some in self._all:
            some.pop(one, None)

    def drop_one(self) -> bool:
        """Drop the one that has been idle longest or, where none is, looks on or waits longest.

        Returns:
            Whether there was one.
        """
        for some in self._all:
            if some:
                some.popitem(last=False)[0].drop()
                return True
        return False

    @property
    def busy(self) -> bool:
        """Whether one waits for its answer."""
        return bool(self._busy)

    def conclude(self) -> None:
        """Tell those that look on the last, and close them."""
        for one in list(self._looking):
            one.conclude()

    def drop_all(self) -> None:
        """Drop every one."""
        while self.drop_one():
            pass

    @property
    def _all(self) -> tuple[OrderedDict[Member, None], ...]:
        return self._idle, self._looking, self._busy
