"""The image's entry point: it becomes the supervisor, and signals reach it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    "arguments", [("--model", "tiny", "--max-model-len", "64"), ("serve", "tiny", "--seed=1")]
)
def test_arguments_of_vllms_own_image_start_a_worker(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with served(tmp_path, *arguments, MODEL_NAME="other", MAX_CONCURRENCY='"7"') as log:
        assert "serve tiny --host=0.0.0.0" in log
        assert " ".join(arguments[2:]) in log
        assert "MAX_CONCURRENCY has quotes around its value" in log


def test_a_stop_reaches_the_supervisor(tmp_path: Path) -> None:
    with served(tmp_path, MODEL_NAME="tiny"):
        pass


@contextlib.contextmanager
def served(tmp_path: Path, *arguments: str, **more: str) -> Iterator[str]:
    """A worker with the stand-in engine, once it is ready: its log. At the end it is stopped."""
    engine, control = free_port(), free_port()
    env = {
        "PATH": os.environ["PATH"],
        "WORKER_PYTHON": sys.executable,
        "VLLM_COMMAND": FAKE,
        "ENGINE_CATALOG": str(CATALOG),
        "VLLM_PORT": str(engine),
        "PORT_HEALTH": str(control),
        **more,
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [ENTRYPOINT, *arguments], env=env, cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        until(lambda: "ready after" in (tmp_path / "log").read_text(), what="readiness")
        yield (tmp_path / "log").read_text()
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
