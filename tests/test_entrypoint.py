"""The image's entry point: it becomes the supervisor, and signals reach it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.client import PATIENCE
from tests.processes import CATALOG, FAKE, ROOT, free_port, until

ENTRYPOINT = str(ROOT / "entrypoint.sh")


def test_arguments_go_to_the_supervisor(tmp_path: Path) -> None:
    done = subprocess.run(
        [ENTRYPOINT, "explain", "--catalog", str(CATALOG)],
        env={"PATH": os.environ["PATH"], "WORKER_PYTHON": sys.executable, "MODEL_NAME": "org/m"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "vllm serve org/m \\\n  --host=0.0.0.0 \\\n  --port=8000" in done.stdout


def test_a_stop_reaches_the_supervisor(tmp_path: Path) -> None:
    engine, control = free_port(), free_port()
    env = {
        "PATH": os.environ["PATH"],
        "WORKER_PYTHON": sys.executable,
        "VLLM_COMMAND": FAKE,
        "ENGINE_CATALOG": str(CATALOG),
        "MODEL_NAME": "tiny",
        "VLLM_PORT": str(engine),
        "PORT_HEALTH": str(control),
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([ENTRYPOINT], env=env, cwd=tmp_path, stdout=log, stderr=log)
    try:
        until(lambda: "ready after" in (tmp_path / "log").read_text(), what="readiness")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "stopped" in (tmp_path / "log").read_text()
    finally:
        process.kill()


def surroundings(tmp_path: Path, **env: str) -> dict[str, str]:
    """What the entry point hands to the worker's Python, here one that only says it."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nenv\n")
    python.chmod(0o755)
    given = {"PATH": "/usr/bin:/bin", "WORKER_PYTHON": str(python), "TMPDIR": str(tmp_path), **env}
    done = subprocess.run([ENTRYPOINT], env=given, capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def test_a_home_that_is_there_is_kept(tmp_path: Path) -> None:
    found = surroundings(tmp_path, HOME=str(tmp_path))
    assert found["HOME"] == str(tmp_path)
    assert "HF_HOME" not in found


def test_without_a_home_there_is_one_in_the_temporary_folder(tmp_path: Path) -> None:
    found = surroundings(tmp_path, HOME="/nowhere")
    assert found["HOME"] == f"{tmp_path}/home"
    assert Path(found["HOME"]).is_dir()
    assert surroundings(tmp_path)["HOME"] == found["HOME"]
