"""What the machine lacks is said in one sentence."""

import os
from pathlib import Path

import pytest

from tools import system
from tools.errors import SetupError


def test_enough_space_is_silent(tmp_path: Path) -> None:
    system.need_space(tmp_path / "not" / "there" / "yet", 0.000001)


def test_too_little_space_names_the_figures_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"needs about 1000000 GB.*XDG_CACHE_HOME"):
        system.need_space(tmp_path / "engine", 1e6)


def test_libraries_that_load_need_nothing(tmp_path: Path) -> None:
    system.need_libraries(tmp_path / "log", {"libx.so": "x"}, lambda _: True)
    assert not (tmp_path / "log").exists()


def test_a_missing_library_without_root_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/apt-get")
    with pytest.raises(SetupError, match="sudo apt-get install -y libnuma1"):
        system.need_libraries(tmp_path / "log", {"libnuma.so.1": "libnuma1"}, lambda _: False)


def test_a_library_that_is_not_there_does_not_load() -> None:
    assert not system.loads("libthat-nobody-has.so.9")
