"""Commands that are measured, as a command line names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import contenders
from bench.around.processes import ROOT


def test_a_command_runs_in_this_checkout() -> None:
    found = contenders.of_command("ours", "env X='a b' python -m proxy")
    assert found.command == ["env", "X=a b", "python", "-m", "proxy"]
    assert found.folder == ROOT


def test_a_command_of_another_folder(tmp_path: Path) -> None:
    found = contenders.of_definition(f"other={tmp_path}:python -m proxy")
    assert (found.name, found.folder) == ("other", tmp_path.resolve())
    assert found.command == ["python", "-m", "proxy"]


def test_a_colon_or_an_equals_sign_in_a_command_parts_nothing() -> None:
    found = contenders.of_definition("near=env ENGINE_URL=http://h:1 python -m proxy")
    assert found.folder == ROOT
    assert found.command[:2] == ["env", "ENGINE_URL=http://h:1"]


@pytest.mark.parametrize("text", ["", "name", "=python", "name=", "name= "])
def test_what_is_no_contender(text: str) -> None:
    with pytest.raises(ValueError, match=r"give .*COMMAND"):
        contenders.of_definition(text)


def test_a_folder_alone_is_no_contender(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no command"):
        contenders.of_definition(f"other={tmp_path}:")


def test_a_handler_file_is_named_after_itself(tmp_path: Path) -> None:
    file = tmp_path / "theirs.py"
    file.write_text("")
    found = contenders.of_handler_file(str(file))
    assert found.name == "theirs"
    assert found.command == ["python", "-m", "bench.handler_file", str(file)]


def test_a_handler_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no file"):
        contenders.of_handler_file(str(tmp_path))
