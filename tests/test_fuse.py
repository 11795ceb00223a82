"""The volume for tests and benches: its files are the folder's, as slow as they should be."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import fuse
from tests.client import PATIENCE
from tests.fuse.volume import Rate
from tests.processes import ROOT

SIZE = 1_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    (made / "below").mkdir(parents=True)
    (made / "weights").write_bytes(bytes(range(256)) * (SIZE // 256))
    (made / "below" / "é").write_text("text")
    (made / "link").symlink_to("weights")
    for number in range(200):  # more than one answer holds
        (made / "below" / f"{number:03}-{'x' * 200}").touch()
    return made


@pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")
def test_it_reads_like_the_folder_and_as_slowly_as_asked(folder: Path, tmp_path: Path) -> None:
    with fuse.mounted(tmp_path / "place", folder, f"--rate={SIZE}") as place:
        names = [path.name for path in sorted(folder.rglob("*"))]
        assert [path.name for path in sorted(place.rglob("*"))] == names
        assert (place / "below" / "é").read_text() == "text"
        assert not (place / "nothing").exists()
        with pytest.raises(OSError, match="Read-only"):
            (place / "new").touch()
        began = time.monotonic()
        assert (place / "link").read_bytes() == (folder / "weights").read_bytes()
        assert time.monotonic() - began > 0.9
    assert not any(place.iterdir())


@pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")
def test_it_unmounts_itself_at_sigterm(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    command = [sys.executable, "-m", "tests.fuse", str(folder), str(place)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().strip() == fuse.MOUNTED
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert not any(place.iterdir())


def test_it_says_where_it_cannot_be_mounted(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuse", str(folder), str(tmp_path / "nowhere")]
    done = subprocess.run(
        [*command, "--rate=1"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout.startswith("no volume can be mounted here: ")


def test_all_readers_share_the_rate() -> None:
    rate = Rate(1000)
    began = time.monotonic()
    for _ in range(3):
        rate.take(100)
    assert time.monotonic() - began >= 0.3
