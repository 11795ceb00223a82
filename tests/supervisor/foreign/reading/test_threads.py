"""Real files that are cold, read ahead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.foreign.reading import pieces, room
from supervisor.foreign.reading.pieces import PIECE
from supervisor.foreign.reading.room import Room
from supervisor.foreign.reading.threads import Reading
from tests import fuse
from tests.client import PATIENCE
from tests.supervisor.foreign.reading.cold import share, write_cold

needs_fuse = pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")


def read(path: Path) -> Reading:
    reading = Reading(str(path), "auto", "0.32.0")
    reading.start()
    assert reading.over.wait(PATIENCE)
    return reading


def test_the_weights_of_a_folder_are_cached_and_nothing_else(tmp_path: Path) -> None:
    sizes = {"model-1-of-2.safetensors": PIECE + 12_345, "model-2-of-2.safetensors": 2 * PIECE}
    files = [write_cold(tmp_path / name, size) for name, size in sizes.items()]
    other = write_cold(tmp_path / "pytorch_model.bin", PIECE)
    reading = read(tmp_path)
    assert reading.why == ""
    assert reading.done == reading.size == reading.whole == sum(sizes.values())
    assert [share(file) for file in files] == [1, 1]
    assert share(other) == 0


def test_what_lies_beside_the_model_comes_after_it(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("model", "draft", "adapter")]
    for folder in folders:
        folder.mkdir()
    write_cold(folders[0] / "model.safetensors", PIECE)
    draft = write_cold(folders[1] / "model.safetensors", PIECE)
    adapter = write_cold(folders[2] / "adapter_model.safetensors", 12_345)
    beside = [str(each) for each in (folders[1], tmp_path / "nowhere", folders[2], folders[1])]
    reading = Reading(str(folders[0]), "auto", "0.32.0", beside)
    reading.start()
    assert reading.over.wait(PATIENCE)
    assert reading.why == ""
    assert reading.done == reading.whole == 2 * PIECE + 12_345
    assert share(draft) == share(adapter) == 1


def test_a_file_of_weights(tmp_path: Path) -> None:
    path = write_cold(tmp_path / "q4.gguf", PIECE)
    assert read(path).done == PIECE
    assert share(path) == 1


def test_the_hubs_cache_of_links(tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshots" / "c"
    snapshot.mkdir(parents=True)
    blob = write_cold(tmp_path / "blob", PIECE)
    (snapshot / "model.safetensors").symlink_to("../../blob")
    assert read(snapshot).done == PIECE
    assert share(blob) == 1


def test_what_is_cached_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(bytes(2 * PIECE))
    monkeypatch.setattr(os, "preadv", lambda *_: pytest.fail("read"))
    assert read(tmp_path).done == 2 * PIECE


def test_no_more_is_read_than_memory_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_cold(tmp_path / "model.safetensors", 4 * PIECE)
    spare = Room(0, 0).spare
    monkeypatch.setattr(room, "look", lambda: Room(spare + PIECE, 2 * spare))
    reading = read(tmp_path)
    assert (reading.done, reading.size, reading.whole) == (PIECE, PIECE, 4 * PIECE)
    # What the kernel itself reads ahead comes on top.
    assert 0.25 <= share(path) < 0.6


def test_a_pipe_in_place_of_a_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model-1-of-2.safetensors")
    path = write_cold(tmp_path / "model-2-of-2.safetensors", PIECE)
    assert read(tmp_path).done == PIECE
    assert share(path) == 1


def test_a_pipe_that_takes_the_place_of_a_file_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    os.mkfifo(path)
    monkeypatch.setattr(Reading, "_found", lambda *_: {str(path): PIECE})
    assert read(tmp_path).why == f"{path}: no regular file"


@pytest.mark.parametrize(("name", "why"), [("gone", "No such file or directory"), ("file", "")])
def test_what_is_not_there_is_told(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").touch()
    reading = read(tmp_path / name)
    assert (reading.done, reading.why) == (0, why and f"{tmp_path / name}: {why}")


def test_it_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cold(tmp_path / "model.safetensors", 8 * PIECE)
    reading = Reading(str(tmp_path), "auto", "0.32.0")
    preadv = os.preadv

    def after_a_stop(*arguments: object) -> int:
        reading.stop("for a test")
        return preadv(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "preadv", after_a_stop)
    reading.start()
    assert reading.over.wait(PATIENCE)
    assert reading.why == "for a test"
    assert reading.done < PIECE * (pieces.readers("ext4") + 1)


@needs_fuse
def test_a_file_system_that_drops_its_pages_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(bytes(2 * PIECE))
    with fuse.mounted(tmp_path / "mount", folder) as place:
        reading = read(place)
    assert reading.why.startswith("this file system (fuse.standin) drops what was read")
    assert reading.done == 0


@needs_fuse
def test_one_that_keeps_them_is_read_by_many(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(bytes(2 * PIECE))
    with fuse.mounted(tmp_path / "mount", folder, "--keep-cache") as place:
        reading = read(place)
        assert share(place / "model.safetensors") == 1
    assert (reading.why, reading.done, reading.readers) == ("", 2 * PIECE, 16)
