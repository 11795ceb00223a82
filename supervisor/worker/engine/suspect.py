"""Whether the end of an engine is a job's doing, by what the proxy says of the jobs in hand.

The proxy may hear of the end first, and go on to other jobs, so what it says is looked at with the
first sign of an end: a process that dies, a probe that is not answered well.
"""

from __future__ import annotations

from collections.abc import Callable

from ...link.journal import Journal


class Suspicion:
    """Whether a job that had ended engines before was alone in this one when its end began.

    Args:
        journal: what the proxy has said.
        catch_up: lets the journal read what the proxy has said since.
    """

    def __init__(self, journal: Journal, catch_up: Callable[[], None]) -> None:
        self._journal = journal
        self._catch_up = catch_up
        self.found = False

    def look(self) -> None:
        """There is a sign of an end."""
        self._catch_up()
        self.found = self.found or self._journal.suspect is not None

    def drop(self) -> None:
        """The engine is well: the sign was none."""
        self.found = False
