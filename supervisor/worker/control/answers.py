"""What the control port answers: /ping to everybody, the rest to those who may ask."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping

from ..lifecycle import Phase
from ..status import Status
from .access import Access
from .message import Answer, Question

_WAIT_MOST = 3600.0  # seconds
_READS = frozenset({"GET", "HEAD"})


class Answers:
    """Answers to the questions of every connection.

    Args:
        status: what is told.
        access: who may ask for more than /ping.
        health: another path for /ping.
    """

    def __init__(self, status: Status, access: Access, health: str) -> None:
        self._status = status
        self._access = access
        self._pings = frozenset({"/ping", health})
        self._pages: Mapping[str, Callable[[Question], Answer | Awaitable[Answer]]] = {
            "/status": self._show,
            "/metrics": self._count,
        }

    def __call__(self, question: Question) -> Answer | Awaitable[Answer]:
        """The answer, or what has to be awaited for it."""
        page = self._pages.get(question.path)
        if page is None and question.path not in self._pings:
            return Answer.error(404, "there are /ping, /status and /metrics here")
        if question.method not in _READS:
            return Answer.error(405, "nothing can be changed here", "Allow: GET, HEAD")
        if page is None:
            return Answer(self._status.ping)
        return self._access.refusal(question) or page(question)

    def _count(self, question: Question) -> Answer:
        from ..metrics import registry  # whoever asks first pays for the library

        return Answer(200, *registry.exposition(registry.registry(self._status), question.accept))

    def _show(self, question: Question) -> Answer | Awaitable[Answer]:
        wanted = question.query.get("wait")
        if wanted is None:
            return Answer.json(self._status.standing.as_json())
        try:
            phase = Phase(wanted.upper())
            timeout = float(question.query.get("timeout", "60"))
        except ValueError:
            timeout = math.nan
        if not 0 <= timeout <= _WAIT_MOST:
            known = ", ".join(phase.lower() for phase in Phase)
            message = f"wait takes one of {known}; timeout takes seconds up to {_WAIT_MOST:.0f}"
            return Answer.error(400, message)
        return self._wait(phase, timeout)

    async def _wait(self, phase: Phase, timeout: float) -> Answer:
        reached = await self._status.wait_for(phase, timeout)
        return Answer.json(self._status.standing.as_json(), 200 if reached else 408)
