"""What the page cache has of a real file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.foreign.reading import pages
from tests.supervisor.foreign.reading.cold import PAGE, share, write_cold


def test_a_file_is_cold_until_it_is_read(tmp_path: Path) -> None:
    path = write_cold(tmp_path / "file", 64 * PAGE)
    path.read_bytes()
    assert share(path) == 1


def test_a_part_of_a_file(tmp_path: Path) -> None:
    path = write_cold(tmp_path / "file", 64 * PAGE + 1)
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)  # nothing is read ahead
    os.pread(descriptor, 4 * PAGE, 8 * PAGE)
    assert pages.cached(descriptor, 8 * PAGE, 4 * PAGE) == 1
    assert pages.cached(descriptor, 8 * PAGE, 8 * PAGE) == 0.5
    assert pages.cached(descriptor, 32 * PAGE, 32 * PAGE + 1) == 0
    os.close(descriptor)


def test_what_cannot_be_mapped_is_not_known() -> None:
    reading, writing = os.pipe()
    assert pages.cached(reading, 0, PAGE) is None
    os.close(reading)
    os.close(writing)


def test_others_are_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel tells them that all of it is there."""
    path = write_cold(tmp_path / "file", PAGE)
    path.chmod(0o444)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with path.open("rb") as file:
        assert pages.cached(file.fileno(), 0, PAGE) is None
