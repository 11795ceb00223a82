"""How much memory is left, by files as version 1 and 2 of control groups have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.foreign.reading import room
from supervisor.foreign.reading.room import Room

GIB = 1 << 30
MEMINFO = f"MemTotal:  {100 << 20} kB\nMemFree: 5 kB\nMemAvailable:   {80 << 20} kB\n"
STAT_2 = f"anon {3 * GIB}\nfile {6 * GIB}\nfile_dirty {GIB}\nfile_writeback 0\nactive_file 1\n"
STAT_2 += f"inactive_file {5 * GIB}\n"
STAT_1 = f"cache 1\ninactive_file 7\nhierarchical_memory_limit {16 * GIB}\n"
STAT_1 += f"total_dirty {GIB}\ntotal_writeback 0\ntotal_inactive_file {5 * GIB}\n"


def files(root: Path, **texts: str) -> Path:
    for name, text in {"proc/meminfo": MEMINFO, **texts}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def group(place: str, limit: int | str, current: int, stat: str = STAT_2) -> dict[str, str]:
    """Of version 2."""
    under = f"sys/fs/cgroup/{place}".rstrip("/")
    texts = {"max": f"{limit}\n", "current": f"{current}\n", "stat": stat}
    return {f"{under}/memory.{name}": text for name, text in texts.items()}


def first(place: str, limit: int, usage: int) -> dict[str, str]:
    """Of version 1."""
    under = f"sys/fs/cgroup/memory/{place}".rstrip("/")
    texts = {"limit_in_bytes": f"{limit}\n", "usage_in_bytes": f"{usage}\n", "stat": STAT_1}
    return {f"{under}/memory.{name}": text for name, text in texts.items()}


def test_without_a_group_the_machine_counts(tmp_path: Path) -> None:
    assert room.look(files(tmp_path)) == Room(80 * GIB, 100 * GIB)
    assert room.look(tmp_path / "nowhere") is None


def test_clean_cache_of_a_group_counts_as_free(tmp_path: Path) -> None:
    """10 of 20 are used; 5 are inactive cache, of which 1 is yet to be written."""
    texts = {"proc/self/cgroup": "0::/\n", **group("", 20 * GIB, 10 * GIB)}
    assert room.look(files(tmp_path, **texts)) == Room(14 * GIB, 20 * GIB)


def test_a_group_without_a_limit_is_none(tmp_path: Path) -> None:
    texts = {"proc/self/cgroup": "0::/\n", **group("", "max", 10 * GIB)}
    assert room.look(files(tmp_path, **texts)) == Room(80 * GIB, 100 * GIB)


def test_memory_high_is_a_limit_too(tmp_path: Path) -> None:
    texts = {"proc/self/cgroup": "0::/\n", **group("", "max", 10 * GIB)}
    texts["sys/fs/cgroup/memory.high"] = f"{12 * GIB}\n"
    assert room.look(files(tmp_path, **texts)) == Room(6 * GIB, 12 * GIB)


def test_the_narrowest_of_the_groups_above_counts(tmp_path: Path) -> None:
    texts = {"proc/self/cgroup": "0::/kubepods/pod\n"}
    texts |= group("kubepods/pod", 90 * GIB, 10 * GIB) | group("kubepods", 16 * GIB, 15 * GIB)
    assert room.look(files(tmp_path, **texts)) == Room(5 * GIB, 16 * GIB)


def test_a_container_sees_its_group_as_the_root(tmp_path: Path) -> None:
    texts = {"proc/self/cgroup": "0::/docker/0123\n", **group("", 20 * GIB, 10 * GIB)}
    assert room.look(files(tmp_path, **texts)) == Room(14 * GIB, 20 * GIB)


def test_version_1_beside_an_empty_version_2(tmp_path: Path) -> None:
    """Its stat also has the limit of what is above the mount."""
    texts = {"proc/self/cgroup": "4:memory:/docker/0123\n0::/\n"}
    texts |= first("", 0x7FFFFFFFFFFFF000, 10 * GIB)
    assert room.look(files(tmp_path, **texts)) == Room(10 * GIB, 16 * GIB)
    texts |= first("docker/0123", 12 * GIB, 10 * GIB)
    assert room.look(files(tmp_path, **texts)) == Room(6 * GIB, 12 * GIB)


@pytest.mark.parametrize(
    ("limit", "current"), [("max\n", "1\n"), ("", ""), ("5\n", ""), (f"{1 << 63}\n", "1\n")]
)
def test_no_limit(limit: str, current: str) -> None:
    assert room.of_group(limit, current, "") is None


@pytest.mark.parametrize(
    ("free", "limit", "fits", "short"),
    [
        (100, 200, 80, False),  # a tenth is spared
        (4, 5, 3, False),  # 1 GiB at least
        (1, 2, 0, False),
        (9, 200, 0, True),
        (0, 1, 0, True),
    ],
)
def test_what_fits(free: int, limit: int, fits: int, short: bool) -> None:
    found = Room(free * GIB, limit * GIB)
    assert (found.fits // GIB, found.short) == (fits, short)


def test_this_machine_says_it() -> None:
    found = room.look()
    assert found is not None
    assert found.free > 0
    assert found.limit < 1 << 60
