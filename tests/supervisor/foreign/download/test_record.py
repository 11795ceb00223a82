"""A folder is of one commit, whole, or of none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from supervisor.foreign.download.record import Record


def downloaded(folder: Path, commit: str, *files: str, subfolder: str = "") -> None:
    record = Record(folder, subfolder)
    record.begin(commit, files)
    for file in files:
        (folder / file).write_text("x")
    record.end({"commit": commit, "files": list(files), "bytes": len(files)})


def test_nothing_was_downloaded_yet(tmp_path: Path) -> None:
    assert Record(tmp_path, "").commit is None


def test_a_whole_download_is_remembered_by_folder(tmp_path: Path) -> None:
    downloaded(tmp_path, "c1", "a", "b", subfolder="x/y")
    assert Record(tmp_path, "x/y").commit == "c1"
    assert Record(tmp_path, "").commit is None
    (tmp_path / "b").unlink()
    assert Record(tmp_path, "x/y").commit is None


def test_from_the_first_file_of_another_commit_on_it_is_of_neither(tmp_path: Path) -> None:
    downloaded(tmp_path, "c1", "a")
    record = Record(tmp_path, "")
    record.begin("c1", ["a"])
    assert record.commit == "c1"
    record.begin("c2", ["b"])
    assert record.commit is None
    assert Record(tmp_path, "").commit is None


def test_files_of_other_commits_are_removed_also_after_one_that_broke_off(tmp_path: Path) -> None:
    downloaded(tmp_path, "c1", "a", "same")
    Record(tmp_path, "").begin("c2", ["b", "same"])
    (tmp_path / "b").write_text("half")
    downloaded(tmp_path, "c3", "c", "same")
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert left == {"c", "same"}
    assert Record(tmp_path, "").commit == "c3"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 1, "whole": true}', '{"whole": true}'])
def test_a_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / ".downloaded-.json").write_text(text)
    assert Record(tmp_path, "").commit is None


def test_what_is_kept_has_the_fields_of_a_download(tmp_path: Path) -> None:
    downloaded(tmp_path, "c1", "a")
    kept = json.loads((tmp_path / ".downloaded-.json").read_text())
    assert kept == {"commit": "c1", "files": ["a"], "bytes": 1, "whole": True}
