"""The parts of a start by themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.around.processes import ProcessEndedError
from bench.cold import alone
from bench.cold.setups import REPOSITORY, Place


def hub_client(folder: Path, body: str) -> Place:
    """A place where the hub's client is a function with this body."""
    text = f"import time\ndef snapshot_download(repository):\n    {body}\n"
    (folder / "huggingface_hub.py").write_text(text)
    return Place(REPOSITORY, {"PYTHONPATH": str(folder)})


def test_the_download_is_timed(tmp_path: Path) -> None:
    place = hub_client(tmp_path, f"assert repository == {REPOSITORY!r}; time.sleep(0.5)")
    assert alone.download(Path(sys.executable), place) >= 0.5


def test_a_download_that_fails_says_why(tmp_path: Path) -> None:
    place = hub_client(tmp_path, "raise SystemExit('the hub is gone')")
    with pytest.raises(ProcessEndedError, match="the hub is gone"):
        alone.download(Path(sys.executable), place)


def test_every_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"weights")
    place = Place(str(tmp_path), {})
    assert alone.read(place) > 0
    (tmp_path / "more").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        alone.read(place)
