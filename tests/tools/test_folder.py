"""When an environment counts as complete, and who may make it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools import folder


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "env"
    (path / "bin").mkdir(parents=True)
    (path / "bin" / "python").symlink_to(sys.executable)
    folder.mark(path, "engine", "k1")
    return path


def test_a_marked_folder_is_complete(made: Path) -> None:
    assert folder.is_complete(made, "engine", "k1")


def test_another_key_or_marker_is_not(made: Path) -> None:
    assert not folder.is_complete(made, "engine", "k2")
    assert not folder.is_complete(made, "dev", "k1")


def test_a_moved_folder_is_not_complete(made: Path) -> None:
    """Its scripts begin with the path of the old interpreter."""
    moved = made.rename(made.with_name("elsewhere"))
    assert not folder.is_complete(moved, "engine", "k1")


def test_a_folder_whose_python_was_removed_is_not_complete(made: Path) -> None:
    (made / "bin" / "python").unlink()
    (made / "bin" / "python").symlink_to("/no/such/python3")
    assert not folder.is_complete(made, "engine", "k1")


def test_the_key_follows_what_is_installed() -> None:
    assert folder.key_of(["a"]) == folder.key_of(["a"])
    assert folder.key_of(["a"]) != folder.key_of(["b"])
    assert len(folder.key_of(["a"])) == 12


def test_remove_takes_a_link_and_not_what_it_points_to(made: Path) -> None:
    link = made.with_name("link")
    link.symlink_to(made)
    folder.remove(link)
    assert made.exists()
    assert not link.is_symlink()


def test_a_relative_cache_folder_is_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert folder.cache() == tmp_path / ".cache" / "vllm-supervisor"


def test_a_second_run_says_that_it_waits_and_then_goes_on(tmp_path: Path) -> None:
    """The lock is another process's, and is given back when that one is killed."""
    code = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
        "print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "engine.lock")]
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()

        def say(line: str) -> None:
            said.append(line)
            holder.kill()

        with folder.locked("engine", tmp_path, say):
            pass
    assert said == ["Another run is making this environment: waiting for it to finish."]
