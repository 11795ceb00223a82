"""Which life of the engine a request was sent in, by what `/health` and the supervisor say."""

from __future__ import annotations

import time
from dataclasses import dataclass

from supervisor.link.standing import Standing


@dataclass(frozen=True, slots=True)
class Sent:
    """When a request was sent.

    Attributes:
        life: in which life of the engine.
        at: in monotonic seconds.
        restarts: of the engine, as far as they were known then; None: nobody had said.
    """

    life: int
    at: float
    restarts: int | None = None


class Lives:
    """Counts the lives of the engine.

    One ends where the engine is away, and the next begins when it is back; or the supervisor tells
    of a restart that nobody here had noticed.

    Attributes:
        gone: it was not well when it was asked last.
    """

    def __init__(self) -> None:
        self.gone = False
        self._life = 0
        self._restarts: int | None = None  # as the supervisor said last of an engine that is ready
        self._life_then = 0  # in which it said so
        self._began = 0.0  # when the engine of today became ready, in monotonic seconds

    def sent(self) -> Sent:
        """What is to be known of a request that is sent now, when its answer breaks off."""
        return Sent(self._life, time.monotonic(), self._restarts)

    def asked(self, *, well: bool) -> None:
        """The engine itself said whether it is well."""
        self._life += well and self.gone
        self.gone = not well

    def told(self, standing: Standing) -> None:
        """The supervisor said how the worker stands.

        Only while it is ready does its state tell since when there is this engine. That time is the
        wall's, which may have been set since: what is sent from now on is sent to this engine.
        """
        if not standing.ready:
            return
        if self._restarts is not None and standing.restarts != self._restarts:
            self._began = time.monotonic() - max(0.0, time.time() - standing.since)
            self._life += not self.gone and self._life == self._life_then
        self._restarts, self._life_then = standing.restarts, self._life

    def was_another(self, sent: Sent) -> bool:
        """Whether the engine that got the request is not today's, by what is known.

        One that was not well for a moment is the same, where the supervisor counts the restarts. Of
        a restart that came between its last word and the request, the time tells that the request
        came later.
        """
        if sent.restarts is None or self._restarts is None:
            return sent.life != self._life
        return sent.restarts != self._restarts and sent.at < self._began
