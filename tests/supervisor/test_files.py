"""Files are written whole or not at all; a folder to come has a place already."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from supervisor.files import (
    existing,
    exists,
    fault,
    is_dir,
    is_file,
    listed,
    mount,
    write_whole,
)
from tests import fuse


def test_it_is_written_with_its_folders_for_all_to_read(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, "text é\udcff")
    assert path.read_bytes() == "text é".encode() + b"\xff"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [other.name for other in path.parent.iterdir()] == ["file"]


def test_one_that_is_there_is_replaced_and_not_written_into(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    with path.open() as reader:
        write_whole(path, "after")
        assert reader.read() == "before"
    assert path.read_text() == "after"


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "folder", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"exists|directory"):
        write_whole(tmp_path / "file" / "below", "text")


def test_a_folder_to_come_will_be_where_the_nearest_above_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert existing(tmp_path) == tmp_path
    assert existing(tmp_path / "a" / "b") == tmp_path
    assert existing(Path("a/b")) == tmp_path


def test_where_a_folder_to_come_is_mounted() -> None:
    assert mount(Path("/proc/self/none/below")) == Path("/proc")
    assert mount(Path("/")) == Path("/")


@pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")
def test_a_dead_volume_raises_nothing(tmp_path: Path) -> None:
    with fuse.dead(tmp_path / "mount", tmp_path) as place:
        for path in (place, place / "below", tmp_path / ("x" * 300)):
            assert not any((exists(path), is_dir(path), is_file(path), listed(path)))
            assert existing(path) == tmp_path
            assert fault(path) is not None
        assert mount(place / "below") == mount(tmp_path)
    assert fault(tmp_path) is fault(tmp_path / "nothing") is fault(Path("/etc/hostname/x")) is None
