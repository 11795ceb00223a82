"""The process itself, as the worker starts it: by a bare interpreter, with nothing around it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.foreign import reading
from supervisor.foreign.reading.pieces import PIECE
from tests import fuse
from tests.client import PATIENCE
from tests.processes import until
from tests.supervisor.foreign.reading.cold import share, write_cold

COMMAND = [sys.executable, "-I", "-S", str(Path(str(reading.__file__)).parent)]


def run(path: Path) -> str:
    done = subprocess.run(
        [*COMMAND, str(path), "auto", "0.32.0"],
        env={},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout


def test_it_reads_and_says_so(tmp_path: Path) -> None:
    path = write_cold(tmp_path / "model.safetensors", 2 * PIECE)
    assert run(tmp_path).startswith(f"read ahead: 0.03 of 0.03 GB of {tmp_path} in ")
    assert share(path) == 1


def test_it_is_silent_where_there_is_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert run(tmp_path) == ""


@pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")
def test_the_process_that_hangs_outlives_sigkill(tmp_path: Path) -> None:
    """What the stand-in's hang is: without that, the tests of stops would prove nothing."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(bytes(PIECE))
    hang = "--hang-opens=model.safetensors"
    with fuse.mounted(tmp_path / "mount", folder, hang) as place:
        process = subprocess.Popen([*COMMAND, str(place), "auto", "0.32.0"])
        until(lambda: fuse.hangs(process.pid, place), what="the hang")
        process.kill()
        until(lambda: _states(process.pid) == {"Z", "D"}, what="its half end")
        assert process.poll() is None
    process.wait(PATIENCE)


def _states(pid: int) -> set[str]:
    tasks = Path(f"/proc/{pid}/task").glob("*/stat")
    return {task.read_text().rpartition(")")[2].split()[0] for task in tasks}
