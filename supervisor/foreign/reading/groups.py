"""The control groups that this process is in, as far as they are shown: whose memory it may use."""

from __future__ import annotations

from pathlib import Path


def folders(root: Path = Path("/")) -> tuple[list[Path], list[Path]]:
    """Those of version 2, and those of version 1 for memory; ours first, then those above it.

    A container sees its own group as the root of the mount, whatever /proc says its name is.

    Args:
        root: where /proc and /sys are.
    """
    second, first = _inside(text(root / "proc/self/cgroup"))
    mount = root / "sys/fs/cgroup"
    of_second = [group for top in (mount, mount / "unified") for group in _upward(top, second)]
    return of_second, _upward(mount / "memory", first)


def text(path: Path) -> str:
    """What a file says; nothing where it is not there."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _inside(cgroup: str) -> tuple[str, str]:
    """The groups of version 2 and of version 1's memory, by the text of /proc/self/cgroup."""
    second = first = ""
    for line in cgroup.splitlines():
        _, controllers, group = line.split(":", 2)
        if not controllers:
            second = group.lstrip("/")
        elif "memory" in controllers.split(","):
            first = group.lstrip("/")
    return second, first


def _upward(top: Path, group: str) -> list[Path]:
    here = top / group
    return [here, *(above for above in here.parents if above.is_relative_to(top))]
