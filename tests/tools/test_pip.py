"""What the user reads when pip fails."""

from pathlib import Path

import pytest

from tools import pip
from tools.errors import PackageMissing

LOG = Path("/cache/engine.log")
MISSING = "ERROR: No matching distribution found for torch==2.13.0+cpu"


def test_no_network_is_named_even_where_pip_speaks_of_a_missing_package() -> None:
    lines = ["WARNING: Retrying ... NewConnectionError('Network is unreachable')", MISSING]
    error = pip.explained(1, lines, LOG)
    assert "check the network" in str(error)
    assert not isinstance(error, PackageMissing)


def test_a_missing_package_is_told_apart() -> None:
    error = pip.explained(1, [MISSING], LOG)
    assert isinstance(error, PackageMissing)
    assert "torch==2.13.0+cpu" in str(error)


@pytest.mark.parametrize(
    ("code", "line", "remedy"),
    [
        (1, "ERROR: [Errno 28] No space left on device", "XDG_CACHE_HOME"),
        (-9, "", "memory"),
        (2, "something new", str(LOG)),
    ],
)
def test_a_failure_comes_with_its_remedy(code: int, line: str, remedy: str) -> None:
    assert remedy in str(pip.explained(code, [line], LOG))


def test_pip_installs_into_the_environment_whatever_the_caller_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    env = pip.environment(tmp_path)
    assert "PIP_TARGET" not in env
    assert "PYTHONDONTWRITEBYTECODE" not in env
    assert env["TMPDIR"] == str(tmp_path / ".tmp")
