"""Threads for whose end no loop waits, and a machine that has none left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from ..errors import OutOfResources

T = TypeVar("T")


def begin(work: Callable[[], object], *, daemon: bool = True) -> None:
    """Do `work` in a thread of its own, which ends with the process; unless `daemon`, before it.

    Raises:
        OutOfResources: no thread is left for it.
    """
    try:
        threading.Thread(target=work, daemon=daemon).start()
    except RuntimeError:
        raise OutOfResources(
            "no more threads are allowed here; raise the limit (`docker run --pids-limit`,"
            " `ulimit -u`)"
        ) from None


async def in_thread(look: Callable[[], T], *, daemon: bool = True) -> T:
    """What `look` returns or raises, in a thread for whose end no loop waits.

    It waits for those of `asyncio.to_thread`, and a name server may be silent for half a minute;
    where no thread is left, that end fails, too.

    Args:
        look: what is done there.
        daemon: nobody waits for it; otherwise the end of the process does.

    Raises:
        OutOfResources: no thread is left for it.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[T] = loop.create_future()

    def settle(tell: Callable[[], None]) -> None:
        if not found.done():
            tell()

    def run() -> None:
        try:
            tell = partial(found.set_result, look())
        except Exception as fault:  # noqa: BLE001 - whoever awaits it sees it
            tell = partial(found.set_exception, fault)
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, tell)

    begin(run, daemon=daemon)
    return await found
