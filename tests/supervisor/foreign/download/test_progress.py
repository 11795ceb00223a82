"""How far a download is, in lines, while it lasts."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from supervisor.foreign.download import progress
from tests.processes import until


def test_the_size_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "x").write_bytes(b"123")
    (tmp_path / "a" / "b" / "y").write_bytes(b"45")
    assert progress.size_of(tmp_path) == 5
    assert progress.size_of(tmp_path / "none") == 0


def test_folders_that_come_and_go_meanwhile(tmp_path: Path) -> None:
    """As the hub's client makes them; `Path.rglob` fails at one that is gone."""
    (tmp_path / "x").write_bytes(b"123")
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            (tmp_path / "comes").mkdir()
            (tmp_path / "comes").rmdir()

    coming = threading.Thread(target=come_and_go)
    coming.start()
    try:
        assert {progress.size_of(tmp_path) for _ in range(500)} == {3}
    finally:
        over.set()
        coming.join()


def test_amounts() -> None:
    assert progress.amount(2_500_000_000) == "2.50 GB"
    assert progress.amount(3_543_656) == "3.5 MB"


def test_lines_come_while_it_lasts_and_then_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.01)
    (tmp_path / "x").write_bytes(bytes(250_000))
    said: list[str] = []

    def lines() -> list[str]:
        said.extend(capsys.readouterr().err.splitlines())
        return said

    before = threading.active_count()
    with progress.Progress("org/m", tmp_path, 1_000_000):
        until(lines, what="a line")
        assert threading.active_count() > before
    assert said[0].startswith("org/m: 25 % of 1.0 MB, ")
    assert threading.active_count() == before, "nobody is left who would say one"
