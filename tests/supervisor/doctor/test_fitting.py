"""Whether the weights of a plan fit, on this disk and at a hub."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

from supervisor.catalog import options
from supervisor.command import plan
from supervisor.command.plan import Plan
from supervisor.doctor import fitting
from supervisor.models import disk
from supervisor.models.demand import GIB
from supervisor.models.fit import Fit
from tests.client import PATIENCE
from tests.hub.serving import hub
from tests.processes import CATALOG, ROOT
from tests.supervisor.models.sized import model

NOWHERE = {"BASE_PATH": "/nowhere", "BAKED_MODELS": "/nowhere", "HF_ENDPOINT": "http://127.0.0.1:9"}


def made(env: dict[str, str]) -> Plan:
    return plan.make(env, options.load(CATALOG), disk.look(env))


def ahead(**env: str) -> Fit | None:
    given = {**NOWHERE, "HOME": "/nowhere", **env}
    return fitting.ahead(made(given), given)


def test_a_folder(tmp_path: Path) -> None:
    model(tmp_path, {"model.safetensors": 30 * GIB})
    found = ahead(MODEL_NAME=str(tmp_path), GPU_MEMORY_GB="24")
    assert found is not None
    assert found.cannot
    found = ahead(MODEL_NAME=str(tmp_path), GPU_MEMORY_GB="24", TENSOR_PARALLEL_SIZE="2")
    assert found is not None
    assert found.fits


def test_a_model_in_the_hubs_cache(tmp_path: Path) -> None:
    model(tmp_path / "models--org--m" / "snapshots" / "c", {"model.safetensors": 30 * GIB})
    found = ahead(MODEL_NAME="org/m", HF_HUB_CACHE=str(tmp_path), GPU_MEMORY_GB="24")
    assert found is not None
    assert found.cannot


def test_a_model_at_the_hub_and_a_folder_of_it(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", {"model.safetensors": 30_000})
    model(folder / "small", {"model.safetensors": 9_000})
    with hub(m=folder) as url:
        size = str(20_000 / GIB)
        for name, fits in (("org/m", False), ("org/m/small", True)):
            found = ahead(MODEL_NAME=name, HF_ENDPOINT=url, GPU_MEMORY_GB=size, HOME=str(tmp_path))
            assert found is not None
            assert (found.fits, found.cannot) == (fits, not fits)
        offline = {"HF_ENDPOINT": url, "HF_HUB_OFFLINE": "1"}
        assert ahead(MODEL_NAME="org/m", GPU_MEMORY_GB=size, **offline) is None


def test_where_nobody_can_tell_nothing_is_said(tmp_path: Path) -> None:
    model(tmp_path, {"model.safetensors": 30 * GIB})
    assert ahead(MODEL_NAME=str(tmp_path)) is None  # no GPU, and nobody says its size
    assert ahead(MODEL_NAME="org/m", GPU_MEMORY_GB="24") is None  # no hub
    assert ahead(MODEL_NAME="s3://bucket/m", GPU_MEMORY_GB="24") is None
    assert ahead(GPU_MEMORY_GB="24") is None
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    assert ahead(MODEL_NAME=str(tmp_path), GPU_MEMORY_GB="24") is None


def test_gpu_memory_gb_counts_first_for_a_plan_and_last_for_a_start(tmp_path: Path) -> None:
    env = {**NOWHERE, "MODEL_NAME": str(model(tmp_path, {"model.safetensors": 30 * GIB}))}
    given = {**env, "GPU_MEMORY_GB": "24"}
    planned = fitting.ahead(made(given), given, seen=80 * GIB)
    assert planned is not None
    assert planned.cannot
    here = fitting.ahead(made(env), env, seen=80 * GIB)
    assert here is not None
    assert here.fits
    started = fitting.at_start(made(given), given)
    assert started is not None
    assert started.cannot, "no GPU is here that says its size"


def explain(**env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "supervisor", "explain", "--json"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ENGINE_CATALOG": str(CATALOG), **NOWHERE, **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_explain_says_it(tmp_path: Path) -> None:
    name = str(model(tmp_path, {"model.safetensors": 30 * GIB}))
    done = explain(MODEL_NAME=name, GPU_MEMORY_GB="24")
    assert done.returncode == 78
    (error,) = json.loads(done.stdout)["errors"]
    assert error["env"] == "MODEL_NAME"
    assert "30.0 GiB, cannot fit" in error["message"]
    assert "TENSOR_PARALLEL_SIZE=2" in error["suggestion"]
    done = explain(MODEL_NAME=name, GPU_MEMORY_GB="24", QUANTIZATION="fp8")
    assert done.returncode == 0
    assert "may not fit" in json.loads(done.stdout)["warnings"][-1]["message"]
    done = explain(MODEL_NAME=name, GPU_MEMORY_GB="80")
    assert (done.returncode, json.loads(done.stdout)["errors"]) == (0, [])


def test_a_process_of_its_own_answers(tmp_path: Path) -> None:
    given = {**NOWHERE, "HOME": "/nowhere", "GPU_MEMORY_GB": "24"}
    for size in (30, 3):
        env = {**given, "MODEL_NAME": str(model(tmp_path, {"model.safetensors": size * GIB}))}
        done = subprocess.run(
            [sys.executable, "-c", "from supervisor.doctor import fitting; fitting.answer()"],
            cwd=ROOT,
            input=pickle.dumps((made(env), env)),
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
        assert Fit(**json.loads(done.stdout)) == fitting.at_start(made(env), env)
