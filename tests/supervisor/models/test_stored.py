"""On which kind of file system a model is."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.foreign.reading import room
from supervisor.foreign.reading.room import Room
from supervisor.models import stored
from supervisor.models.placement import Stored
from tests import fuse


def mounts(tmp_path: Path, place: Path, kind: str) -> Path:
    file = tmp_path / "mountinfo"
    root = "1 1 0:1 / / rw - ext4 /dev/sda rw\n"
    file.write_text(f"{root}2 1 0:2 / {place.resolve()} rw - {kind} x rw\n")
    return file


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(bytes(1000))
    return folder


def test_a_local_disk_is_only_named(tmp_path: Path, model: Path) -> None:
    found = stored.look(model, mounts(tmp_path, tmp_path / "elsewhere", "fuse"))
    assert found == Stored(str(model), "ext4")
    found = stored.look(model, mounts(tmp_path, model, "nfs4"))
    assert found == Stored(str(model), "nfs4")


@pytest.mark.parametrize(("free", "fits"), [(1112, True), (1110, False), (0, False)])
def test_on_fuse_the_weights_are_held_against_the_memory(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, free: int, fits: bool
) -> None:
    """With 90 % of what is free, as vLLM's own automatic does it."""
    monkeypatch.setattr(room, "look", lambda: Room(free, 2000))
    found = stored.look(model, mounts(tmp_path, model, "fuse.juicefs"))
    assert found == Stored(str(model), "fuse.juicefs", fits)


def test_other_weights_are_not_prefetched_by_vllm(tmp_path: Path, model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    found = stored.look(model, mounts(tmp_path, model, "fuse"))
    assert found == Stored(str(model), "fuse")
    file = model / "pytorch_model.bin"
    assert stored.look(file, mounts(tmp_path, model, "fuse")) == Stored(str(file), "fuse")


def test_what_is_not_there_is_not_stored(tmp_path: Path) -> None:
    assert stored.look(tmp_path / "gone") is None
    assert stored.look(tmp_path, tmp_path / "gone") == Stored(str(tmp_path))


@pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")
def test_a_real_one(tmp_path: Path, model: Path) -> None:
    with fuse.mounted(tmp_path / "mount", model) as place:
        assert stored.look(place) == Stored(str(place), "fuse.standin", True)
