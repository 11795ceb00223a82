"""A machine with GPUs, as a whole worker sees it. Where they are looked for is a folder here."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from supervisor.models.demand import GIB
from tests import client
from tests.client import PATIENCE
from tests.conftest import Start
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.hub.serving import hub
from tests.processes import CATALOG, ROOT, until
from tests.supervisor.machine.driver import driver
from tests.supervisor.machine.machines import machine
from tests.supervisor.models.sized import model

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
    shown, devices = machine(folder, range(count), range(count))
    text = LOOK_HERE.format(root=str(ROOT), driver=str(shown), devices=str(devices))
    (folder / "sitecustomize.py").write_text(text)
    return str(folder)


def test_a_start_divides_the_model_among_all_gpus(start: Start, tmp_path: Path) -> None:
    place = model(tmp_path / "model", {}, heads=32)
    seen = gpus(tmp_path, 6)
    worker = start(PYTHONPATH=seen, MODEL_NAME=str(place))
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


def test_weights_that_cannot_fit_end_a_start_in_seconds(start: Start, tmp_path: Path) -> None:
    """By the driver's own word of the memory, and by the hub's of the files."""
    driver(tmp_path, [24 * GIB] * 2)
    place = model(tmp_path / "m", {"model.safetensors": 140 * GIB})
    seen = {"PYTHONPATH": gpus(tmp_path, 2), "LD_LIBRARY_PATH": str(tmp_path)}
    began = time.monotonic()
    worker = start(**seen, MODEL_NAME=str(place), FAKE_VLLM="start=600", GPU_MEMORY_GB="200")
    assert worker.wait() == 78
    assert time.monotonic() - began < PATIENCE
    last = [line for line in worker.text().splitlines() if "giving up" in line]
    assert len(last) == 1
    assert "140.0 GiB, cannot fit: each of 2 GPUs would hold 70.0 GiB" in last[0]
    assert "TENSOR_PARALLEL_SIZE=8" in last[0]
    assert worker.text().count("cannot fit") == 1
    assert worker.text().count("engine spawned") == 1
    assert worker.left() == []


def test_what_the_hub_lists_cannot_fit(start: Start, tmp_path: Path) -> None:
    place = model(tmp_path / "m", {"model.safetensors": 50_000})
    hubs = {"HF_HOME": str(tmp_path / "hf"), "MODEL_NAME": "org/m", "HF_TOKEN": "hf_x"}
    with hub("--token", "hf_x", m=place) as url:
        small = {**hubs, "HF_ENDPOINT": url, "GPU_MEMORY_GB": str(20_000 / GIB)}
        worker = start(**small, FAKE_VLLM="start=600")
        assert worker.wait() == 78
        assert "the weights of org/m, 0.0 GiB, cannot fit" in worker.text()
        worker = start(**small, QUANTIZATION="fp8")
        until(lambda: "the weights of org/m, 0.0 GiB, may not fit" in worker.text())
        worker.until_ready()
        assert worker.stop() == 0
    worker = start(**small)  # no hub, and no word of it
    worker.until_ready()
    assert "fit" not in worker.text()
    assert worker.stop() == 0


def test_the_platform_is_told_that_this_machine_is_too_small(
    platform: Platform, start: Start, tmp_path: Path
) -> None:
    """Jobs are not answered with it: another worker's GPU may be larger."""
    place = model(tmp_path / "m", {"model.safetensors": 30 * GIB})
    worker = start(
        **worker_environment(platform.root, worker_id="no-room"),
        MODEL_NAME=str(place),
        GPU_MEMORY_GB="24",
        FAKE_VLLM="start=600",
    )
    assert worker.wait() == 78
    reported = platform.workers()["no-room"]["unhealthy"]
    assert {one["check"] for one in reported} == {"engine"}
    assert all("cannot fit" in one["reason"] for one in reported)
    assert "answering jobs" not in worker.text()
    assert worker.left() == []
