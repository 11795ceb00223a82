"""Long polls of the platform, which go on where the process was frozen and restored elsewhere.

After a freeze the connection of an open poll may be dead without a word, and the poll would be deaf
for as long as polls are held. So another one opens at once, on a new connection. The old one is
kept to its end: where its connection lives, what it still brings has been given away to us.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

import aiohttp

T = TypeVar("T")

_HELD = 90.0  # seconds for which a poll is waited for, as the SDK does


class Polls(Generic[T]):
    """Asks one thing again and again. Used inside one event loop.

    Args:
        ask: asks once, for so many; None where there is nothing.
        session: opens an HTTP session, which is closed here.
    """

    def __init__(
        self,
        ask: Callable[[aiohttp.ClientSession, int], Coroutine[Any, Any, T | None]],
        session: Callable[[], aiohttp.ClientSession],
    ) -> None:
        self._ask = ask
        self._open_session = session
        self._session: aiohttp.ClientSession | None = None
        self._current: asyncio.Task[None] | None = None
        self._wanted = 1
        self._tasks: set[asyncio.Task[None]] = set()
        self._limits: set[asyncio.Timeout] = set()
        self._answers: asyncio.Queue[T | Exception | None] = asyncio.Queue()

    async def answer(self, wanted: int = 1) -> T | None:
        """What the next poll brings, or one that is still open; None where it brings nothing.

        Raises:
            Exception: what `ask` raises.
        """
        self._wanted = wanted
        if self._current is None and self._answers.empty():
            self._begin()
        found = await self._answers.get()
        if isinstance(found, Exception):
            raise found
        return found

    def thawed(self) -> None:
        """The process stood still: ask again at once where a poll is open."""
        for limit in self._limits:
            limit.reschedule(asyncio.get_running_loop().time() + _HELD)
        if self._current is not None:
            self._session = None  # it is closed with the poll that is open in it
            self._begin()

    async def end(self) -> list[T]:
        """Ask no more; returns what has come and was not taken."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None
        left = [self._answers.get_nowait() for _ in range(self._answers.qsize())]
        return [one for one in left if one is not None and not isinstance(one, Exception)]

    def _begin(self) -> None:
        if self._session is None:
            self._session = self._open_session()
        task = asyncio.create_task(self._poll(self._session, self._wanted))
        self._current = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _poll(self, session: aiohttp.ClientSession, wanted: int) -> None:
        this = asyncio.current_task()
        try:
            found = await self._asked(session, wanted)
        except Exception as reason:  # noqa: BLE001 - it is raised where the answer is waited for
            if self._current is this:
                self._answers.put_nowait(reason)
        else:
            # Of an old one what it brings counts, that it ends does not.
            if self._current is this or found is not None:
                self._answers.put_nowait(found)
        finally:
            if self._current is this:
                self._current = None
            else:
                await session.close()

    async def _asked(self, session: aiohttp.ClientSession, wanted: int) -> T | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_HELD) as limit:
                self._limits.add(limit)
                try:
                    return await self._ask(session, wanted)
                finally:
                    self._limits.discard(limit)
        return None
