"""The doctor goes on without an engine, a GPU or a network, and looks where the start would."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.catalog import options
from supervisor.command import plan
from supervisor.models.demand import GIB
from supervisor.models.hub import weights_folder
from tests.client import PATIENCE
from tests.e2e.conftest import engine_environment
from tests.processes import CATALOG, FAKE, ROOT, free_port
from tests.supervisor.models.baking import baked
from tests.supervisor.models.sized import model


def doctor(**environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    ports = {"VLLM_PORT": str(free_port()), "PORT_HEALTH": str(free_port())}
    return subprocess.run(
        [sys.executable, "-m", "supervisor", "doctor"],
        env={**env, **ports, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_without_an_engine_it_says_so_and_goes_on() -> None:
    done = doctor(VLLM_COMMAND="/nowhere/vllm")
    assert done.returncode == 1
    squeezed = " ".join(done.stdout.split())
    assert "bad engine the engine's command '/nowhere/vllm' was not found" in squeezed
    assert "free in" in done.stdout
    assert done.stderr == ""


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))  # noqa: S104 - as the engine would
        taken.listen()
        number = taken.getsockname()[1]
        done = doctor(VLLM_COMMAND=FAKE, VLLM_PORT=str(number), HF_TOKEN="hf_verysecret1")
    assert done.returncode == 1
    squeezed = " ".join(done.stdout.split())
    assert f"bad port {number} (VLLM_PORT) is taken by process" in squeezed
    assert "hf_verysecret1" not in done.stdout


def test_a_port_is_named_by_what_sets_it() -> None:
    """VLLM_EXTRA_ARGS wins over the variable, so setting that one would help nobody."""
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))  # noqa: S104 - as the engine would
        taken.listen()
        number = taken.getsockname()[1]
        done = doctor(VLLM_COMMAND=FAKE, VLLM_EXTRA_ARGS=f"--port {number}")
    squeezed = " ".join(done.stdout.split())
    assert f"bad port {number} (--port in VLLM_EXTRA_ARGS) is taken by process" in squeezed
    assert "set --port in VLLM_EXTRA_ARGS to a free port" in squeezed


def test_warnings_stand_among_the_settings_and_nothing_is_valid_beside_them() -> None:
    known = {"VLLM_COMMAND": FAKE, "ENGINE_CATALOG": str(CATALOG), "MODEL_NAME": "org/m"}
    known["VLLM_API_KEY"] = "a-key"
    sound = [" ".join(line.split()) for line in doctor(**known).stdout.splitlines()]
    assert "good settings all of them are valid" in sound
    done = doctor(**known, MAX_MODEL_LENGTH="4096")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert any(line.startswith("warning settings MAX_MODEL_LENGTH is not a") for line in lines)
    assert "good settings all of them are valid" not in lines


def test_queue_mode_without_jobs_is_bad_here() -> None:
    known = {"VLLM_COMMAND": FAKE, "ENGINE_CATALOG": str(CATALOG), "MODEL_NAME": "org/m"}
    done = doctor(**known, WORKER_MODE="queue")
    squeezed = " ".join(done.stdout.split())
    assert "bad settings WORKER_MODE=queue, but RUNPOD_WEBHOOK_GET_JOB, from where" in squeezed


def test_a_guarded_name_is_said_not_to_be_passed_on() -> None:
    known = {"VLLM_COMMAND": FAKE, "ENGINE_CATALOG": str(CATALOG), "MODEL_NAME": "org/m"}
    squeezed = " ".join(doctor(**known, DEVICE="auto").stdout.split())
    assert "warning settings DEVICE is not passed on; vLLM finds its device by itself" in squeezed
    assert "all of them are valid" not in squeezed


def test_of_a_traceback_the_last_line_is_shown() -> None:
    """Here the engine's command is a Python that has no vLLM."""
    done = doctor(VLLM_COMMAND=f"{sys.executable} /nowhere/vllm")
    (line,) = (each for each in done.stdout.splitlines() if "Only options that" in each)
    assert "could not read its options: RuntimeError: no way to the parser works" in line
    assert "  File " not in line
    assert "^^^" not in line


def test_what_the_engine_s_line_says_is_not_said_again() -> None:
    done = doctor(VLLM_COMMAND="/nowhere/vllm")
    assert done.stdout.count("'/nowhere/vllm' was not found") == 1
    assert "Only options that every known vLLM has are taken" in done.stdout


def test_weights_that_cannot_fit_are_bad(tmp_path: Path) -> None:
    place = model(tmp_path, {"model.safetensors": 30 * GIB})
    done = doctor(VLLM_COMMAND="/nowhere/vllm", MODEL_NAME=str(place), GPU_MEMORY_GB="24")
    (line,) = [line for line in done.stdout.splitlines() if "cannot fit" in line]
    assert line.split()[:2] == ["bad", "memory"]
    assert "TENSOR_PARALLEL_SIZE=2" in line
    done = doctor(VLLM_COMMAND="/nowhere/vllm", MODEL_NAME=str(place), GPU_MEMORY_GB="80")
    assert "30.0 GiB, fit: " in done.stdout


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_the_real_engine_is_asked() -> None:
    env = {name: value for name, value in engine_environment().items() if value}
    done = doctor(VLLM_COMMAND=env["VLLM_COMMAND"], MODEL_NAME=env["MODEL_NAME"])
    assert done.returncode == 0, done.stdout
    assert "vLLM 0.32.0+cpu" in done.stdout
    assert "built for CPUs" in done.stdout
    assert "is on this disk" in done.stdout


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_a_model_that_is_no_repositorys_name_is_no_fault_of_the_engine() -> None:
    done = doctor(VLLM_COMMAND=engine_environment()["VLLM_COMMAND"], MODEL_NAME="org/m x")
    assert done.returncode == 1
    squeezed = " ".join(done.stdout.split())
    assert "bad settings MODEL_NAME=org/m x has a blank in it" in squeezed
    assert "bad model" not in squeezed, "one cause is said once"
    assert "install the engine again" not in done.stdout


def test_the_disk_is_that_of_the_start_and_wrong_settings_are_bad(tmp_path: Path) -> None:
    folder = str(tmp_path / "models" / "here")
    done = doctor(
        VLLM_COMMAND=FAKE,
        ENGINE_CATALOG=str(CATALOG),
        MODEL_NAME="org/m",
        DOWNLOAD_DIR=folder,
        MAX_MODEL_LEN="many",
    )
    assert done.returncode == 1
    assert f"free in {folder}" in done.stdout
    squeezed = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert any(line.startswith("bad settings MAX_MODEL_LEN=many is not") for line in squeezed)


@pytest.mark.parametrize(
    ("env", "folder"),
    [
        ({}, "/home/u/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/cache"}, "/cache/huggingface/hub"),
        ({"HF_HOME": "/hf"}, "/hf/hub"),
        ({"HUGGINGFACE_HUB_CACHE": "/old"}, "/old"),
        ({"HF_HUB_CACHE": "/new"}, "/new"),
        ({"HF_HUB_CACHE": "/new", "DOWNLOAD_DIR": "/d"}, "/d"),
        ({"HF_HUB_CACHE": "/new", "VLLM_EXTRA_ARGS": "--download_d /d"}, "/d"),
    ],
)
def test_the_folder_of_a_download(env: dict[str, str], folder: str) -> None:
    """The one that the command names, else the hub's cache as every other reader finds it."""
    given = {"HOME": "/home/u", "MODEL_NAME": "org/m", **env}
    made = plan.make(given, options.load(CATALOG))
    assert weights_folder(made.value("--download-dir"), given) == Path(folder)


def test_a_model_is_named_by_what_would_be_served(tmp_path: Path) -> None:
    """One that is in the image has a name without MODEL_NAME."""
    baked(tmp_path)
    done = doctor(VLLM_COMMAND="/nowhere/vllm", BAKED_MODELS=str(tmp_path))
    assert "MODEL_NAME is not set" not in done.stdout
    assert "MODEL_NAME is not set" in doctor(VLLM_COMMAND="/nowhere/vllm").stdout
