"""Whether the end of an engine is a job's doing, or its warm-up's.

The proxy says which jobs are in hand. It may hear of the end first, and go on to other jobs, so
what it says is looked at with the first sign of an end: a process that dies, a probe that is not
answered well.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...link.journal import Journal

log = logging.getLogger("supervisor")

_ENDED = "the engine before ended in its warm-up"
_UNANSWERED = "an engine before answered nothing in its warm-up"


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


class WarmUp:
    """Whether an engine is warmed up, and how that went.

    What may have ended one engine, or made it hang, is not to keep a worker from serving.

    Args:
        cold: why it is not; empty where it may be.
    """

    def __init__(self, cold: str = "") -> None:
        self._cold = cold
        self._of_next = cold
        self._asks = False

    def begin(self) -> bool:
        """Whether it may be sent requests. If so, an end counts as their doing from now on."""
        if self._cold:
            log.warning("not warmed up: %s", self._cold)
            return False
        self._of_next, self._asks = _ENDED, True
        return True

    def asked(self) -> None:
        """All were sent; whether it is well after them is not known yet."""
        self._asks = False

    def spare(self) -> None:
        """It is killed because a node is gone: amid the requests they have no part in that."""
        if self._asks:
            self._of_next = self._cold

    def over(self, *, answered: bool) -> None:
        """It is well after them."""
        self._of_next = "" if answered else _UNANSWERED

    def ready(self) -> None:
        """It serves: one that was not warmed up because another had ended makes up for that."""
        if self._of_next == _ENDED:
            self._of_next = ""

    def following(self) -> WarmUp:
        """That of the next engine."""
        return WarmUp(self._of_next)
