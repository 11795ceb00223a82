"""One real engine at a time.

Two are too much for two cores, and for the memory of some machines.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

from tools import folder


class Turn:
    """A lock that one process at a time has, and can take again while it has it.

    A test takes it, and so does each fixture whose engine outlives the test.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._times = 0
        self._held = ExitStack()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait until no other process has it; it is given back where it was taken first."""
        if self._times == 0:
            self._held.callback(self._wait().close)
        self._times += 1
        try:
            yield
        finally:
            self._times -= 1
            if self._times == 0:
                self._held.close()

    def _wait(self) -> IO[str]:
        """The open file that holds the lock: the kernel takes it back however its holder ends."""
        folder.cache().mkdir(parents=True, exist_ok=True)
        file = (folder.cache() / f"{self._name}.lock").open("a+")
        fcntl.flock(file, fcntl.LOCK_EX)
        return file


#: Of whoever starts a real engine, in a container too.
engine = Turn("engine-of-a-test")
