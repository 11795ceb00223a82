"""The facts about a model that need no hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor.foreign import probe
from tests.client import PATIENCE


def facts(**env: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, probe.__file__],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", ["", "  "])
def test_without_a_model_nothing_is_said_of_one(name: str) -> None:
    assert "model" not in facts(MODEL_NAME=name)


def test_a_folder_is_on_disk_with_its_size(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_bytes(b"123")
    (tmp_path / "sub" / "b").write_bytes(b"4567")
    assert facts(MODEL_NAME=str(tmp_path))["model"] == {"state": "on disk", "bytes": 7}
    assert facts(MODEL_NAME=str(tmp_path / "no"))["model"] == {"state": "missing"}
    said = facts(MODEL_NAME=str(tmp_path / (300 * "x")))["model"]
    assert said == {"state": "unreadable", "fault": "File name too long"}


def test_without_the_hubs_client_the_rest_is_still_told(tmp_path: Path) -> None:
    (tmp_path / "huggingface_hub.py").write_text("raise ImportError('broken')")
    found = facts(MODEL_NAME="org/m", PYTHONPATH=str(tmp_path))
    assert found["model"] == {"state": "not asked", "fault": "broken"}
