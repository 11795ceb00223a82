"""A machine with GPUs, as a whole worker sees it. Where they are looked for is a folder here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests import client
from tests.conftest import Start
from tests.processes import CATALOG, ROOT
from tests.supervisor.machine.machines import machine

#: Run by each Python that has its folder on PYTHONPATH, before anything else.
LOOK_HERE = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from supervisor.machine import gpus
gpus.DRIVER, gpus.DEVICES = Path({driver!r}), Path({devices!r})
sys.path.pop(0)
"""


def gpus(folder: Path, count: int) -> str:
    """A PYTHONPATH for a worker that sees so many GPUs."""
    driver, devices = machine(folder, range(count), range(count))
    text = LOOK_HERE.format(root=str(ROOT), driver=str(driver), devices=str(devices))
    (folder / "sitecustomize.py").write_text(text)
    return str(folder)


def test_a_start_divides_the_model_among_all_gpus(start: Start, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"num_attention_heads": 32, "num_key_value_heads": 8}')
    seen = gpus(tmp_path, 6)
    worker = start(PYTHONPATH=seen, MODEL_NAME=str(model))
    worker.until_ready()
    assert "--tensor-parallel-size=4" in worker.text()
    assert "2 of the 6 GPUs stay idle" in worker.text()
    assert worker.stop() == 0
    worker = start(PYTHONPATH=seen, TENSOR_PARALLEL_SIZE="1")
    worker.until_ready()
    assert "5 of the 6 GPUs stay idle: TENSOR_PARALLEL_SIZE=1 is obeyed" in worker.text()
    assert worker.stop() == 0


def test_a_start_makes_the_folder_for_models_and_says_where_it_is(
    start: Start, tmp_path: Path
) -> None:
    """`explain` does not make it."""
    folder = tmp_path / "volume" / "models"
    env = {"MODEL_NAME": "org/name", "BASE_PATH": str(folder), "ENGINE_CATALOG": str(CATALOG)}
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", "explain", "--json"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        timeout=client.PATIENCE,
    )
    shown = json.loads(done.stdout)
    assert shown["engine_env"]["HF_HOME"] == f"{folder}/huggingface-cache"
    assert not folder.exists()
    worker = start(BASE_PATH=str(folder), MODEL_NAME="org/name")
    worker.until_ready()
    assert folder.is_dir()
    assert worker.text().count(f"models go to {folder}/huggingface-cache/hub, on ") == 1
    assert worker.stop() == 0
