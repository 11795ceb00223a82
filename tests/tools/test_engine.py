"""Which engine, and how the CPU build gets its name."""

import importlib.metadata
import sys
from pathlib import Path

import pytest

from tools import engine
from tools.errors import SetupError
from tools.worker import CHECKOUT


def test_engine_says_which() -> None:
    assert engine.kind({"ENGINE": "GPU"}) == "gpu"
    assert engine.kind({"ENGINE": "cpu"}) == "cpu"


def test_another_word_is_refused() -> None:
    with pytest.raises(SetupError, match="say cpu or gpu"):
        engine.kind({"ENGINE": "tpu"})


def test_both_requirement_files_pin_what_the_steps_read(tmp_path: Path) -> None:
    cpu = engine.environment("cpu", root=tmp_path)
    gpu = engine.environment("gpu", root=tmp_path)
    assert cpu.path.parent == tmp_path
    assert cpu.path != gpu.path


def test_what_a_cpu_torch_cannot_live_with_is_not_installed() -> None:
    text = (CHECKOUT / "requirements-engine-cpu.txt").read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all("==" in line for line in pins)
    assert not [line for line in pins if line.startswith(("torchv", "torcha", "torchc"))]


def test_the_cpu_build_answers_to_the_name_vllm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    engine.name_vllm(tmp_path, "0.32.0+cpu")
    monkeypatch.setattr(sys, "path", [str(packages)])
    assert importlib.metadata.version("vllm") == "0.32.0+cpu"
