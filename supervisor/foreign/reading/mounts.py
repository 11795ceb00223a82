"""What kind of file system a path is on, by the text of /proc/self/mountinfo. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

FILE = "/proc/self/mountinfo"
_NETWORK = {"nfs", "nfs4", "lustre", "9p", "virtiofs", "ceph", "cifs", "smb3", "beegfs", "gpfs"}
_IN_MEMORY = {"tmpfs", "ramfs", "devtmpfs", "hugetlbfs"}
#: Those that this machine serves itself, from its disks or from memory.
_LOCAL = _IN_MEMORY | {
    "aufs", "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "iso9660", "jfs",
    "ntfs3", "overlay", "proc", "reiserfs", "squashfs", "sysfs", "vfat", "xfs", "zfs",
}  # fmt: skip
_ESCAPED = re.compile(r"\\([0-7]{3})")


def filesystem(mountinfo: str, path: str) -> str:
    """The type of the file system that holds `path`; empty where that is not told.

    Args:
        mountinfo: the text of the file (proc_pid_mountinfo(5)).
        path: without symbolic links in it.
    """
    longest, found = -1, ""
    for place, kind in _mounted(mountinfo):
        # Of two at the same place the later one lies over the other.
        if (path == place or path.startswith(f"{place}/")) and len(place) >= longest:
            longest, found = len(place), kind
    return found


def remote(mountinfo: str) -> frozenset[str]:
    """The places of file systems that somebody else serves, who may not answer.

    The root's is none, whatever it is: this program was read from it.
    """
    found = dict(_mounted(mountinfo))
    return frozenset(place for place, kind in found.items() if place and kind not in _LOCAL)


def _mounted(mountinfo: str) -> Iterator[tuple[str, str]]:
    """Each place, empty for the root, with the type of what is mounted there."""
    for line in mountinfo.splitlines():
        before, _, behind = line.partition(" - ")
        fields, kind = before.split(" "), behind.split(" ")[0]
        if len(fields) >= 6 and kind:
            yield _ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), fields[4]).rstrip("/"), kind


def is_network(kind: str) -> bool:
    """Whether each read waits for somebody else: many at once are faster than few."""
    return kind in _NETWORK or is_fuse(kind)


def is_fuse(kind: str) -> bool:
    """Whether the kernel asks another program by the protocol of FUSE."""
    return kind == "virtiofs" or kind.startswith("fuse")


def is_in_memory(kind: str) -> bool:
    """Whether its files are in memory anyway."""
    return kind in _IN_MEMORY
