"""What another interpreter runs imports nothing of ours, and hides nothing of that one's."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor import foreign
from tests.client import PATIENCE

FOREIGN = Path(foreign.__file__).parent
#: What the engine's environment has beside the standard library.
OF_THE_ENGINE = {"torch", "huggingface_hub"}
#: What takes something from a folder beside its own, and is run so that it can.
BORROWING = {"reading/pieces.py"}
MODULES = sorted(FOREIGN.rglob("*.py"))


def imported(module: Path) -> Iterator[tuple[int, str]]:
    """Each import of `module`: how many dots, and the first name behind them."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from ((node.level, name.partition(".")[0]) for name in names)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(FOREIGN)))
def test_imports_the_standard_library_the_engines_and_its_own_folder(module: Path) -> None:
    own = {path.stem for path in module.parent.glob("*.py")} if module.parent != FOREIGN else set()
    borrows = str(module.relative_to(FOREIGN)) in BORROWING
    for dots, name in imported(module):
        allowed = own if dots else OF_THE_ENGINE | sys.stdlib_module_names
        if borrows and dots == 2:
            allowed = {"download"}
        assert dots <= 1 + borrows
        assert name in allowed


def test_there_is_something_to_look_at() -> None:
    assert {path.parent.name for path in MODULES} == {
        "foreign",
        "introspect",
        "download",
        "reading",
    }
    assert any(dots for module in MODULES for dots, _ in imported(module))


def test_no_module_is_named_as_one_of_the_standard_library() -> None:
    """A folder that is run is on the path at first."""
    assert not {path.stem for path in MODULES} & sys.stdlib_module_names


def run(name: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script or a folder with nothing but the standard library."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(FOREIGN / name), *arguments],
        env={"PATH": os.environ["PATH"], **env},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_the_guardian_runs_bare() -> None:
    done = run("guardian.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_probe_runs_bare() -> None:
    """What is not there is a fact, not a failure."""
    done = run("probe.py")
    assert done.returncode == 0
    assert "torch does not load: No module named 'torch'" in done.stdout


def test_introspect_runs_bare() -> None:
    done = run("introspect")
    assert done.returncode == 3
    assert "RuntimeError: no way to the parser works: " in done.stderr
    assert done.stdout == ""


def test_download_runs_bare(tmp_path: Path) -> None:
    done = run("download", "org/m", "", str(tmp_path), "", "model", "--", "x", HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert done.stderr == (
        "the model could not be downloaded: HF_HUB_OFFLINE is set, and org/m is not in"
        f" {tmp_path}; unset it\n"
    )
