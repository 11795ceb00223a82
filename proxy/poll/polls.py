"""Long polls of the platform, which go on where the process was frozen and restored elsewhere.

After a freeze the connection of an open poll may be dead without a word, and the poll would be deaf
for as long as polls are held. So another one opens at once, on a new connection. The old one is
kept to its end: where its connection lives, what it still brings has been given away to us.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

import aiohttp

T = TypeVar("T")

#: A poll is waited for 90 s, as the SDK does, in looks that are counted: after a freeze all timers
#: of one stretch of time are due at once, before anything is read that has come meanwhile.
_LOOKS, _LOOK = 18, 5.0  # seconds


class Polls(Generic[T]):
    """Asks one thing again and again. Used inside one event loop.

    Args:
        ask: asks once, for so many; None where there is nothing.
        session: opens an HTTP session, which is closed here.
        clock: gives seconds and never goes back.

    Attributes:
        since: when the youngest poll began.
    """

    def __init__(
        self,
        ask: Callable[[aiohttp.ClientSession, int], Coroutine[Any, Any, T | None]],
        session: Callable[[], aiohttp.ClientSession],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.since = clock()
        self._ask = ask
        self._open_session = session
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._current: asyncio.Task[None] | None = None
        self._wanted = 1
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: asyncio.Queue[T | BaseException | None] = asyncio.Queue()

    async def answer(self, wanted: int = 1) -> T | None:
        """What the next poll brings, or one that is still open; None where it brings nothing.

        Raises:
            Exception: what `ask` raises.
        """
        self._wanted = wanted
        if self._current is None and self._answers.empty():
            self._begin()
        found = await self._answers.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def thawed(self) -> None:
        """The process stood still: no old connection is used again, an open poll is asked anew."""
        session, self._session = self._session, None
        if self._current is not None:
            self._begin()  # the session is closed with the poll that is open in it
        elif session is not None:
            self._keep(asyncio.create_task(session.close()))

    async def end(self) -> list[T]:
        """Ask no more; returns what has come and was not taken."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None
        left = [self._answers.get_nowait() for _ in range(self._answers.qsize())]
        return [one for one in left if one is not None and not isinstance(one, BaseException)]

    def _begin(self) -> None:
        if self._session is None:
            self._session = self._open_session()
        self.since = self._clock()
        self._current = asyncio.create_task(self._poll(self._session, self._wanted))
        self._keep(self._current)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _poll(self, session: aiohttp.ClientSession, wanted: int) -> None:
        asking = asyncio.create_task(self._ask(session, wanted))
        try:
            for _ in range(_LOOKS):
                done, _ = await asyncio.wait({asking}, timeout=_LOOK)
                if done:
                    break
        finally:
            asking.cancel()  # what has come all the same counts
            (found,) = await asyncio.gather(asking, return_exceptions=True)
            is_current = self._current is asyncio.current_task()
            if isinstance(found, asyncio.CancelledError):
                found = None
            # Of an old one what it brings counts, that it ends does not.
            if is_current or not (found is None or isinstance(found, BaseException)):
                self._answers.put_nowait(found)
            if is_current:
                self._current = None
            else:
                await session.close()
