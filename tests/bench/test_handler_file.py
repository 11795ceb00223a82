"""Handlers from files of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.handler_file import NoHandlerError, load, main


def test_a_handler_is_found_with_what_stands_around_it(tmp_path: Path) -> None:
    file = tmp_path / "theirs.py"
    file.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\nclass Answer:\n    text: str\n"  # looks for its module
        "def handler(job):\n    return Answer(job['id'])\n"
    )
    assert load(file)({"id": "a"}).text == "a"


def test_a_file_without_a_handler(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE_URL", "http://127.0.0.1:1")
    file = tmp_path / "theirs.py"
    file.write_text("handler = 3\n")
    assert main([str(file)]) == 2
    assert capsys.readouterr().err == f"{file} defines no function `handler`\n"


@pytest.mark.parametrize("name", ["nothere.py", "folder", "text.txt"])
def test_what_is_no_file_of_python(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("")
    with pytest.raises(NoHandlerError, match="is no file of Python"):
        load(tmp_path / name)


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage:" in capsys.readouterr().err
