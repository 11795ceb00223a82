"""What the doctor says of each fact, and that it goes on without an engine, a GPU or a network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor.doctor import Verdict
from supervisor.doctor.checks import judge
from tests.e2e.conftest import engine_environment
from tests.processes import CATALOG, FAKE, ROOT, free_port

GPU: dict[str, Any] = {"torch": "2.14.0", "cuda": "12.9", "driver": "575.1", "devices": [
    {"name": "NVIDIA L4", "free": 22_000_000_000, "total": 24_000_000_000}]}  # fmt: skip
CPU: dict[str, Any] = {"torch": "2.13.0+cpu", "cuda": None, "devices": []}
ROOMY = ("/cache", 100_000_000_000)


def lines(facts: dict[str, Any], model: str = "org/m", disk: tuple[str, int] = ROOMY) -> Any:
    found: dict[str, list[tuple[str, str]]] = {}
    for line in judge(facts, model, disk):
        assert line.verdict is Verdict.GOOD or line.remedy, line
        found.setdefault(line.name, []).append((str(line.verdict), line.text))
    return found


def test_a_gpu_with_its_memory_and_driver() -> None:
    found = lines(GPU)
    assert found["torch"] == [("good", "2.14.0, built for CUDA 12.9")]
    assert found["device"] == [("good", "NVIDIA L4, 22.0 of 24.0 GB free")]
    assert found["driver"] == [("good", "NVIDIA 575.1")]


def test_a_gpu_build_without_a_gpu_is_bad_and_a_cpu_build_is_not() -> None:
    assert lines({**GPU, "devices": []})["device"][0][0] == "bad"
    fault = lines({**GPU, "devices": [], "device_fault": "driver too old"})
    assert fault["device"] == [("bad", "driver too old")]
    assert lines(CPU)["device"][0][0] == "good"


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("on disk", "good"), ("readable", "good"), ("gated", "bad"), ("refused", "bad"),
        ("missing", "bad"), ("offline", "unknown"),
    ],
)  # fmt: skip
def test_the_model(state: str, verdict: str) -> None:
    ((found, text),) = lines({**CPU, "model": {"state": state}})["model"]
    assert found == verdict
    assert "org/m" in text


def test_a_disk_that_is_too_small_for_the_model() -> None:
    facts = {**CPU, "model": {"state": "readable", "bytes": 50_000_000_000}}
    assert lines(facts)["disk"][0][0] == "good"
    assert lines(facts, disk=("/c", 40_000_000_000))["disk"][0][0] == "bad"
    assert lines(CPU, disk=("/c", 1_000_000))["disk"][0][0] == "bad"


def doctor(**environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    ports = {"VLLM_PORT": str(free_port()), "PORT_HEALTH": str(free_port())}
    return subprocess.run(
        [sys.executable, "-m", "supervisor", "doctor"],
        env={**env, **ports, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
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


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_the_real_engine_is_asked() -> None:
    env = {name: value for name, value in engine_environment().items() if value}
    done = doctor(VLLM_COMMAND=env["VLLM_COMMAND"], MODEL_NAME=env["MODEL_NAME"])
    assert done.returncode == 0, done.stdout
    assert "vLLM 0.32.0+cpu" in done.stdout
    assert "built for CPUs" in done.stdout
    assert "lies on this disk" in done.stdout


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
