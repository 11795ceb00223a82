"""How much memory the page cache may still take: what the control group allows, and the machine.

Clean file cache that nobody has used twice counts as free: the kernel gives it up first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import groups
from .groups import text

_SPARE_LEAST = 1 << 30  # bytes: the engine's processes grow while they import
_SPARE_SHARE = 10  # a tenth
_UNLIMITED = 1 << 60  # bytes; version 1 says "no limit" as the largest number of pages


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of a limit, both in bytes."""

    free: int
    limit: int

    @property
    def spare(self) -> int:
        """What is not to be filled with weights."""
        return max(_SPARE_LEAST, self.limit // _SPARE_SHARE)

    @property
    def fits(self) -> int:
        """Bytes of weights that may be read."""
        return max(0, self.free - self.spare)

    @property
    def short(self) -> bool:
        """Whether others need the memory: less is left than the half of what is spared."""
        return self.free < self.spare // 2


def look(root: Path = Path("/")) -> Room | None:
    """The narrowest of this process's limits; None where nobody says.

    Args:
        root: where /proc and /sys are.
    """
    rooms = list(_groups(root))
    if (machine := of_machine(text(root / "proc/meminfo"))) is not None:
        rooms.append(machine)
    return min(rooms, key=lambda room: room.fits, default=None)


def of_machine(meminfo: str) -> Room | None:
    """By /proc/meminfo, in which the kernel counts its own caches as available."""
    said = _numbers(meminfo.replace(":", " "))
    if "MemAvailable" not in said or "MemTotal" not in said:
        return None
    return Room(said["MemAvailable"] * 1024, said["MemTotal"] * 1024)


def of_group(limit: str, current: str, stat: str, prefix: str = "") -> Room | None:
    """By the files of one control group; None where it has no limit.

    Args:
        limit: memory.max, memory.high or memory.limit_in_bytes.
        current: memory.current or memory.usage_in_bytes.
        stat: memory.stat.
        prefix: of the lines in it that count what is below, too: `total_` in version 1.
    """
    if not limit.strip().isdigit() or not current.strip().isdigit():  # "max", or no such file
        return None
    said = _numbers(stat)
    most = min(int(limit), said.get("hierarchical_memory_limit", _UNLIMITED))
    if most >= _UNLIMITED:
        return None
    # Version 2 has other names for what is yet to be written than version 1.
    unwritten = sum(
        said.get(f"{prefix}{name}", 0)
        for name in ("dirty", "writeback", "file_dirty", "file_writeback")
    )
    clean = max(0, said.get(f"{prefix}inactive_file", 0) - unwritten)
    return Room(max(0, most - int(current) + clean), most)


def _groups(root: Path) -> Iterator[Room]:
    """Our group and those above it, as far as they are shown."""
    second, first = groups.folders(root)
    for group in second:
        current, stat = text(group / "memory.current"), text(group / "memory.stat")
        for limit in ("memory.max", "memory.high"):
            if room := of_group(text(group / limit), current, stat):
                yield room
    for group in first:
        limit, current = (text(group / f"memory.{name}_in_bytes") for name in ("limit", "usage"))
        if room := of_group(limit, current, text(group / "memory.stat"), "total_"):
            yield room


def _numbers(said: str) -> Mapping[str, int]:
    """Lines of a name and a number."""
    words = (line.split() for line in said.splitlines())
    return {each[0]: int(each[1]) for each in words if len(each) > 1 and each[1].isdigit()}
