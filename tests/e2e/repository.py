"""The demonstration model as a repository of the hub, and its download into an image."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import client
from tests.processes import ROOT

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_abcdefghijklmnop1234"
DEMO = {path.name for path in (ROOT / "demo" / "model").iterdir()}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration model with what repositories have beside it."""
    folder = tmp_path_factory.mktemp("repository") / "demo"
    shutil.copytree(ROOT / "demo" / "model", folder)
    (folder / "README.md").write_text("for people")
    (folder / "pytorch_model.bin").write_bytes(b"the same again" * 100_000)
    (folder / "original").mkdir()
    (folder / "original" / "consolidated.00.pth").write_bytes(b"and again" * 100_000)
    return folder


def bake(url: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder.parent),
        "VLLM_COMMAND": os.environ["VLLM_COMMAND"],
        "HF_ENDPOINT": url,
        "BAKED_MODELS": str(folder),
        "MODEL_NAME": "org/demo",
        **env,
    }
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", "bake"],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert "Traceback" not in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    return done


def on_a_full_disk(command: Sequence[str]) -> list[str]:
    """`command` with a limit on each file, beyond which the kernel refuses as a full disk does."""
    code = (
        "import resource, os, sys;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, {resource.RLIM_INFINITY}));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-c", code, *command]


def parts(folder: Path) -> list[Path]:
    """What downloads under way have begun to write, in a folder that they change meanwhile."""
    every = ((place, name) for place, _, names in os.walk(folder) for name in names)
    return [Path(place, name) for place, name in every if name.endswith(".incomplete")]


def contents(url: str) -> list[dict[str, Any]]:
    """What of files was sent."""
    found: list[dict[str, Any]] = client.get(f"{url}/_hub/contents").json()
    return found
