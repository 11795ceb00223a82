"""The file that a command starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.errors import CommandNotExecutable, CommandNotFound
from supervisor.executable import executable


def test_a_name_is_looked_for_and_a_link_kept(tmp_path: Path) -> None:
    """Of a virtual environment the link is what says which packages there are."""
    (tmp_path / "real").write_text("#!/bin/sh\n")
    (tmp_path / "real").chmod(0o755)
    (tmp_path / "vllm").symlink_to(tmp_path / "real")
    assert executable(["vllm", "serve"], str(tmp_path)) == str(tmp_path / "vllm")
    assert executable([str(tmp_path / "vllm")], None) == str(tmp_path / "vllm")


@pytest.mark.parametrize("words", [[], [""], ["no-such-command"], ["/nowhere/vllm"]])
def test_what_is_not_there_is_said_with_its_name(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(CommandNotFound, match="set VLLM_COMMAND to its path") as refused:
        executable(words, str(tmp_path))
    assert repr(words[0] if words else "") in str(refused.value)


def test_a_file_without_the_right_to_be_run(tmp_path: Path) -> None:
    (tmp_path / "vllm").write_text("#!/bin/sh\n")
    with pytest.raises(CommandNotExecutable, match="chmod"):
        executable([str(tmp_path / "vllm")], None)
