"""Looks at files: here for a disk of this machine, else by a copy that may be left behind."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from supervisor import hanging
from supervisor.foreign.reading import mounts
from tests import fuse

needs_fuse = pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")
SHORT = 0.5  # seconds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    made.mkdir()
    (made / "file").write_text("text")
    return made


@pytest.fixture
def hung(folder: Path, tmp_path: Path) -> Iterator[Path]:
    """A file that cannot be opened, and whoever tries outlives SIGKILL."""
    with fuse.mounted(tmp_path / "mount", folder, "--hang-opens=file") as place:
        yield place / "file"


def test_a_disk_of_this_machine_is_looked_at_by_this_process(folder: Path) -> None:
    assert hanging.look(os.getpid, [folder, "/nowhere/at/all"]) == os.getpid()


@needs_fuse
async def test_a_volume_is_looked_at_by_another(folder: Path, tmp_path: Path) -> None:
    before = hanging.left_behind()
    with fuse.mounted(tmp_path / "mount", folder) as place:
        assert hanging.look(os.getpid, [folder, place / "file"]) != os.getpid()
        assert await hanging.look_beside(os.getpid, [place]) != os.getpid()
        assert hanging.look((place / "file").read_text, [place]) == "text"
        for link, to in (("absolute", place), ("relative", "mount")):
            (tmp_path / link).symlink_to(to)
            assert hanging.look(os.getpid, [tmp_path / link / "file"]) != os.getpid()
        large = "x" * (1 << 20)
        assert hanging.look(lambda: large, [place]) == large
        assert await hanging.look_beside(lambda: large, [place]) == large
        with pytest.raises(FileNotFoundError, match="nothing"):
            hanging.look((place / "nothing").read_text, [place])
        with pytest.raises(FileNotFoundError, match="nothing"):
            await hanging.look_beside((place / "nothing").read_text, [place])
    assert hanging.left_behind() == before


@needs_fuse
async def test_nobody_waits_for_a_volume_that_hangs(hung: Path) -> None:
    before = hanging.left_behind()
    began = time.monotonic()
    with pytest.raises(hanging.HangsError, match=str(hung.parent)):
        hanging.look(hung.read_text, [hung], SHORT)
    (left,) = hanging.left_behind() - before
    assert fuse.hangs(left, hung.parent)
    again = time.monotonic()
    for _ in range(100):  # it is asked once
        with pytest.raises(hanging.HangsError):
            hanging.look(hung.read_text, [hung])
        with pytest.raises(hanging.HangsError):
            await hanging.look_beside(hung.read_text, [hung])
    assert time.monotonic() - again < hanging.WITHIN
    assert again - began < hanging.WITHIN
    assert hanging.left_behind() - before == {left}


@needs_fuse
async def test_nobody_waits_for_it_beside_an_event_loop(hung: Path) -> None:
    before = hanging.left_behind()
    with pytest.raises(hanging.HangsError):
        await hanging.look_beside(hung.read_text, [hung], SHORT)
    (left,) = hanging.left_behind() - before
    assert psutil.Process(left).is_running()


@needs_fuse
def test_a_look_that_is_killed_ends_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    with fuse.mounted(tmp_path / "mount", folder) as place, pytest.raises(hanging.HangsError):
        hanging.look(lambda: os.kill(os.getpid(), 9), [place])


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Folders of which the kernel says that they are volumes."""
    places = (tmp_path / "one", tmp_path / "other")
    for place in places:
        place.mkdir()
    listed = tmp_path / "mountinfo"
    listed.write_text("".join(f"1 1 0:1 / {place} rw - nfs x rw\n" for place in places))
    monkeypatch.setattr(mounts, "FILE", str(listed))
    monkeypatch.setattr(hanging, "_hung", set())
    return places


def test_of_two_volumes_none_is_said_to_hang_that_answers(two: tuple[Path, Path]) -> None:
    one, other = two
    with pytest.raises(hanging.HangsError, match=f"one of the volumes at {one}, {other} does not"):
        hanging.look(lambda: time.sleep(300), [one, other], SHORT)
    with pytest.raises(hanging.HangsError, match="one of the volumes"):  # it is asked once
        hanging.look(lambda: "both", [other / "x", one])
    assert hanging.look(lambda: "fine", [one]) == "fine"
    with pytest.raises(hanging.HangsError, match=f"the volume at {other} does not answer"):
        hanging.look(lambda: time.sleep(300), [other], SHORT)
    with pytest.raises(hanging.HangsError, match=f"the volume at {other} does not answer"):
        hanging.look(lambda: "both", two)
    assert hanging.look(lambda: "fine", [one]) == "fine"


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.mark.parametrize("of", ["fork", "pipe"])
async def test_without_a_process_or_a_descriptor_nothing_is_seen(
    two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    """Which marks no volume, and leaves no descriptor open."""

    def refused() -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, of, refused)
        with pytest.raises(
            hanging.HangsError, match="cannot be seen: nothing is left to look with"
        ):
            hanging.look(lambda: "text", two)
        with pytest.raises(hanging.HangsError, match=r"\(Resource temporarily unavailable\)"):
            await hanging.look_beside(lambda: "text", [two[0]])
    assert descriptors() == before
    assert hanging.look(lambda: "text", two) == "text"


def test_a_circle_of_links_is_no_volume(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert hanging._on_the_way(tmp_path / "a" / "x", frozenset({"/volume"})) is None
    (tmp_path / "up").symlink_to("../../../../../../../../volume/./x")
    assert hanging._on_the_way(tmp_path / "up", frozenset({"/volume"})) == "/volume"
