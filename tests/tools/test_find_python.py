"""The Python that everything starts with is found, or its absence said in one sentence."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "tools" / "find-python.sh"


def find(*path: Path, python: str = "") -> "subprocess.CompletedProcess[str]":
    env = {"PATH": ":".join(map(str, path)), "PYTHON": python}
    return subprocess.run(["/bin/sh", str(SCRIPT)], env=env, capture_output=True, text=True)


def stand_in(folder: Path, name: str, code: int) -> None:
    """Put a program on PATH that ends with `code`, as a Python that fits (0) or not does."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\nexit {code}\n")
    (folder / name).chmod(0o755)


def test_a_python3_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", "python3", 1)
    stand_in(tmp_path / "bin", "python3.13", 0)
    assert find(tmp_path / "bin").stdout == "python3.13\n"


def test_none_at_all_is_one_sentence(tmp_path: Path) -> None:
    done = find(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: No Python from 3.11 to 3.14")
    assert done.stderr.count("\n") == 1


def test_the_users_choice_is_taken(tmp_path: Path) -> None:
    assert find(tmp_path, python=sys.executable).stdout == f"{sys.executable}\n"


def test_a_choice_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    done = find(tmp_path, python="/no/such/python")
    assert done.returncode == 1
    assert "PYTHON=/no/such/python is not" in done.stderr
