"""How much memory the page cache may still take: what the control group allows, and the machine.

Clean file cache that nobody has used twice counts as free: the kernel gives it up first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

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
    if (machine := of_machine(_text(root / "proc/meminfo"))) is not None:
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


def inside(cgroup: str) -> tuple[str, str]:
    """The groups of version 2 and of version 1's memory, by the text of /proc/self/cgroup."""
    second = first = ""
    for line in cgroup.splitlines():
        _, controllers, group = line.split(":", 2)
        if not controllers:
            second = group.lstrip("/")
        elif "memory" in controllers.split(","):
            first = group.lstrip("/")
    return second, first


def _groups(root: Path) -> Iterator[Room]:
    """Our group and those above it, as far as they are shown.

    A container sees its own group as the root of the mount, whatever /proc says its name is.
    """
    second, first = inside(_text(root / "proc/self/cgroup"))
    mount = root / "sys/fs/cgroup"
    for top in (mount, mount / "unified"):
        for group in _upward(top, second):
            current, stat = _text(group / "memory.current"), _text(group / "memory.stat")
            for limit in ("memory.max", "memory.high"):
                if room := of_group(_text(group / limit), current, stat):
                    yield room
    for group in _upward(mount / "memory", first):
        limit, current = (_text(group / f"memory.{name}_in_bytes") for name in ("limit", "usage"))
        if room := of_group(limit, current, _text(group / "memory.stat"), "total_"):
            yield room


def _upward(top: Path, group: str) -> list[Path]:
    here = top / group
    return [here, *(above for above in here.parents if above.is_relative_to(top))]


def _numbers(text: str) -> Mapping[str, int]:
    """Lines of a name and a number."""
    words = (line.split() for line in text.splitlines())
    return {each[0]: int(each[1]) for each in words if len(each) > 1 and each[1].isdigit()}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
