"""What the doctor says of each fact."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.doctor import Verdict
from supervisor.doctor.checks import judge

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
        ("missing", "bad"), ("unreadable", "bad"), ("offline", "unknown"),
        ("no name", "bad"), ("not asked", "unknown"),
    ],
)  # fmt: skip
def test_the_model(state: str, verdict: str) -> None:
    ((found, text),) = lines({**CPU, "model": {"state": state}})["model"]
    assert found == verdict
    assert "org/m" in text


def test_without_a_model_it_says_what_would_be_served() -> None:
    ((verdict, text),) = lines(CPU, model="")["model"]
    assert verdict == "unknown"
    assert text == "MODEL_NAME is not set, so vLLM would serve its default model"


def test_a_disk_that_is_too_small_for_the_model() -> None:
    facts = {**CPU, "model": {"state": "readable", "bytes": 50_000_000_000}}
    assert lines(facts)["disk"][0][0] == "good"
    assert lines(facts, disk=("/c", 40_000_000_000))["disk"][0][0] == "bad"
    assert lines(CPU, disk=("/c", 1_000_000))["disk"][0][0] == "bad"
