"""Whether the kernel killed a process of ours because memory ran out: the control group counts it.

The exit code does not tell: the kernel kills EngineCore, and the API server then ends with a code
of its own.
"""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path

from ...foreign.reading import groups

#: Looks; an API server ends within seconds of its EngineCore.
LATELY = 5
_LOOK_EVERY = 5.0  # seconds
_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def kills(root: Path = Path("/")) -> int | None:
    """How many processes of our control group were killed for memory so far; None if nobody says.

    Args:
        root: where /proc and /sys are.
    """
    second, first = groups.folders(root)
    files = [group / "memory.events" for group in second]
    files += [group / "memory.oom_control" for group in first]
    found = (_COUNT.search(groups.text(file)) for file in files)
    return next((int(count[1]) for count in found if count), None)


class MemoryWatch:
    """Whether a process was killed for memory a short while ago.

    Only the last `LATELY` looks count: a process that was killed long before, perhaps a user's in
    the same container, did not end this engine.
    """

    def __init__(self) -> None:
        self._counts = deque([kills()], maxlen=LATELY)

    def look(self) -> None:
        """Take in the count; to be called every few seconds."""
        self._counts.append(kills())

    async def look_for_ever(self) -> None:
        """Look every few seconds."""
        import asyncio  # after the spawn

        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self.look()

    def killed_lately(self) -> bool:
        """Whether the count is higher than at the oldest look that still counts."""
        before, now = self._counts[0], kills()
        return before is not None and now is not None and now > before
