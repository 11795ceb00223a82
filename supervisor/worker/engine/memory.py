"""Whether the kernel killed a process of ours because memory ran out: the control group counts it.

The exit code does not tell: the kernel kills EngineCore, and the API server then ends with a code
of its own.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
#: Looks; an API server ends within seconds of its EngineCore.
LATELY = 5
_LOOK_EVERY = 5.0  # seconds
_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def kills(proc: Path = Path("/proc/self/cgroup"), mount: Path = _MOUNT) -> int | None:
    """How many processes of our control group were killed for memory so far; None if nobody says.

    Args:
        proc: says which group we are in, for each hierarchy.
        mount: where the hierarchies are.
    """
    for path in _files(proc, mount):
        try:
            found = _COUNT.search(path.read_text())
        except OSError:
            continue
        if found:
            return int(found[1])
    return None


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
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self.look()

    def killed_lately(self) -> bool:
        """Whether the count is higher than at the oldest look that still counts."""
        before, now = self._counts[0], kills()
        return before is not None and now is not None and now > before


def _files(proc: Path, mount: Path) -> list[Path]:
    """Where the count may be: in version 2 of control groups or in version 1.

    A container sees its own group as the root of the mount, whatever /proc says its name is.
    """
    found = [mount / "memory.events", mount / "memory" / "memory.oom_control"]
    try:
        lines = proc.read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        _, controllers, group = line.split(":", 2)
        inside = group.lstrip("/")
        if not controllers:
            found.insert(0, mount / inside / "memory.events")
            found.insert(1, mount / "unified" / inside / "memory.events")
        elif "memory" in controllers.split(","):
            found.insert(0, mount / "memory" / inside / "memory.oom_control")
    return found
