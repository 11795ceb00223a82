"""The IP addresses of a name, as the engine beside us finds them: by the C library.

A look-up blocks its thread for as long as a name server likes, so that each has a thread of its own
that nobody waits for at the end, a few at a time: names that answer late hold up those jobs alone,
until there are so many that no thread is left for another name.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence

Find = Callable[[str], Sequence[str]]

_WITHIN = 5.0  # seconds for one name, the wait for a thread in it
_AT_ONCE = 16  # threads
_KEPT = 512  # names
_FRESH = 30.0  # seconds for which what was found is believed
_FRESH_FAILURE = 5.0  # and that nothing was


class TooLate(Exception):
    """No answer came in time, of which the name may be as innocent as whoever asked for it."""


class Lookup:
    """Looks names up, and remembers them for a short while. All use is inside one event loop.

    Args:
        find: what a name has, in a thread; OSError for nothing.
        clock: gives seconds and never goes back.
        within: seconds for one name.
    """

    def __init__(
        self,
        find: Find | None = None,
        clock: Callable[[], float] = time.monotonic,
        within: float = _WITHIN,
    ) -> None:
        self._find = find or system
        self._clock = clock
        self._within = within
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._asked: dict[str, asyncio.Task[tuple[str, ...] | None]] = {}

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Every address of `host`; none where it has none.

        Raises:
            TooLate: nobody told in time.
        """
        until, known = self._known.get(host, (0.0, ()))
        if self._clock() < until:
            return known
        task = self._asked.get(host)
        if task is None:
            task = self._asked[host] = asyncio.create_task(self._look(host))
            task.add_done_callback(lambda _task: self._asked.pop(host, None))
        # Others may wait for the same name: the end of one of them ends no look-up.
        if (found := await asyncio.shield(task)) is None:
            raise TooLate
        return found

    async def _look(self, host: str) -> tuple[str, ...] | None:
        try:
            async with asyncio.timeout(self._within):
                found = await self._in_thread(host)
        except TimeoutError:
            return None
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[host] = (self._clock() + (_FRESH if found else _FRESH_FAILURE), found)
        return found

    async def _in_thread(self, host: str) -> tuple[str, ...]:
        free, loop = self._free, asyncio.get_running_loop()
        await free.acquire()
        found: asyncio.Future[tuple[str, ...]] = loop.create_future()

        def tell(addresses: tuple[str, ...]) -> None:
            free.release()  # only now: a thread that nobody waits for any more is still one
            if not found.done():
                found.set_result(addresses)

        def work() -> None:
            try:
                addresses = tuple(self._find(host))
            except (OSError, UnicodeError):
                addresses = ()
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell, addresses)

        try:
            threading.Thread(target=work, name="media-lookup", daemon=True).start()
        except RuntimeError:  # the machine gives no more threads
            tell(())
        return await found


def system(host: str) -> tuple[str, ...]:
    """What the C library finds, which is what vLLM's HTTP clients ask.

    Raises:
        OSError: nothing.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple({str(address[0]) for *_, address in found})
