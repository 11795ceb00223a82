"""What the control port answers: /ping to everybody, the rest to those who may ask.

The page at / tells nothing of the worker: it asks for that itself, at /events.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping

from ..lifecycle import Phase
from ..page import document
from ..status import Status
from .access import Access
from .message import Answer, Live, Question

Found = Answer | Live | Awaitable[Answer]
Looked = Callable[[], Callable[[], bytes]]

_WAIT_MOST = 3600.0  # seconds
_READS = frozenset({"GET", "HEAD"})
#: Sec-Fetch-Site of our own page, of an address that a person typed, of what is no browser.
_OUR_SITE = frozenset({"same-origin", "none", ""})


class Answers:
    """Answers to the questions of every connection.

    Args:
        status: what is told.
        access: who may ask for more than /ping.
        health: another path for /ping.
        looked_at: for one who opens the page: gives events of what is new, again and again.
    """

    def __init__(self, status: Status, access: Access, health: str, looked_at: Looked) -> None:
        self._status = status
        self._access = access
        self._pings = frozenset({"/ping", health})
        self._looked_at = looked_at
        self._pages: Mapping[str, Callable[[Question], Found]] = {
            "/": self._page,
            "/events": self._look_on,
            "/status": self._show,
            "/metrics": self._count,
        }

    def __call__(self, question: Question) -> Found:
        """The answer, one that goes on, or what has to be awaited for it."""
        page = self._pages.get(question.path)
        if page is None and question.path not in self._pings:
            return Answer.error(404, "there are /, /ping, /status and /metrics here")
        if question.method not in _READS:
            return Answer.error(405, "nothing can be changed here", "Allow: GET, HEAD")
        if page is None:
            return Answer(self._status.ping)
        refusal = self._access.refusal
        if question.path == "/":
            refusal = self._access.refusal_of_page
        return refusal(question) or page(question)

    def _page(self, _question: Question) -> Answer:
        try:
            page = document.read()
        except OSError as reason:
            return Answer.error(500, f"the page cannot be read: {reason.strerror}")
        return Answer(200, page.body, "text/html; charset=utf-8", page.headers)

    def _look_on(self, question: Question) -> Answer | Live:
        if question.site not in _OUR_SITE:
            return Answer.error(403, "a page of another site asks; open the one that is here")
        if question.method == "HEAD":
            return Answer(204)
        return Live(self._looked_at())

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
