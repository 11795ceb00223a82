"""The variables that vLLM reads are its own table, which older and other builds may not have."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from supervisor.foreign.introspect.environment import variables


def test_the_names_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("vllm.envs")
    monkeypatch.setitem(sys.modules, "vllm.envs", module)
    assert variables() == []
    module.environment_variables = {"VLLM_B": print, "VLLM_A": print}  # type: ignore[attr-defined]
    assert variables() == ["VLLM_A", "VLLM_B"]


def test_without_vllm_there_are_none() -> None:
    assert "vllm.envs" not in sys.modules
    assert variables() == []
